;; What `cargo component build` has before it encodes: a core module that speaks WASI preview 1 (standard output, the
;; clock, randomness) and, for HTTP, the functions of a world.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $write (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]incoming-request" (func $drop_request (param i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $send (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop_stream (param i32)))

  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 4096))
  (data (i32.const 0) "said through preview 1\n")
  (data (i32.const 64) "Hello from preview 1.\n")
  ;; One piece to write: where it is and how long.
  (data (i32.const 128) "\00\00\00\00\17\00\00\00")

  ;; Nothing is ever given back: an instance serves one request.
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (loop $grow
        (br_if $fits (i32.le_u (local.get $end) (i32.shl (memory.size) (i32.const 16))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        (br $grow)))
    (global.set $free (local.get $end))
    (local.get $at))

  ;; Errors of preview 1 and results of the component model alike: anything but zero ends it.
  (func $must (param $code i32)
    (if (local.get $code) (then unreachable)))

  (func (export "wasi:http/incoming-handler@0.2.0#handle") (param $request i32) (param $out i32)
    (local $response i32) (local $body i32) (local $stream i32)
    (call $drop_request (local.get $request))
    (call $must (call $fd_write (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 200)))
    (call $must (call $clock (i32.const 0) (i64.const 1) (i32.const 208)))
    (call $must (i64.eqz (i64.load (i32.const 208))))
    (call $must (call $random (i32.const 216) (i32.const 8)))

    (local.set $response (call $response (call $fields)))
    (call $body (local.get $response) (i32.const 256))
    (call $must (i32.load8_u (i32.const 256)))
    (local.set $body (i32.load (i32.const 260)))
    (call $set (local.get $out) (i32.const 0) (local.get $response)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $write (local.get $body) (i32.const 256))
    (call $must (i32.load8_u (i32.const 256)))
    (local.set $stream (i32.load (i32.const 260)))
    (call $send (local.get $stream) (i32.const 64) (i32.const 22) (i32.const 256))
    (call $must (i32.load8_u (i32.const 256)))
    (call $drop_stream (local.get $stream))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 256))
    (call $must (i32.load8_u (i32.const 256)))))
