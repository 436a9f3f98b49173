//! What a handler must not do to anyone but itself.

use std::hint::black_box;

use hull_sdk::wasip2::http::types::{ErrorCode, Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

use crate::answer::Answer;

/// An error of `wasi:http` instead of a response.
pub(crate) fn error_response(out: ResponseOutparam) {
    ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("by intent".to_owned()))));
}

/// Some of a body, whose end never comes.
pub(crate) fn half_body(out: ResponseOutparam) {
    if let Some(answer) = Answer::begin(out, 200, &[("content-type", "text/plain")]) {
        answer.write(b"the first half");
        // Dropping a body without finishing it says that it is incomplete.
        drop(answer);
    }
}

/// Some of a body, and then a trap.
pub(crate) fn trap_in_body(out: ResponseOutparam) {
    if let Some(answer) = Answer::begin(out, 200, &[("content-type", "text/plain")]) {
        answer.write(b"the first half");
        trap();
    }
}

/// A `Content-Length` that the body does not keep.
pub(crate) fn wrong_length(out: ResponseOutparam, told: usize, written: usize) {
    let Ok(fields) = Fields::from_list(&[("content-length".to_owned(), told.to_string().into_bytes())]) else { return };
    let response = OutgoingResponse::new(fields);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        let _ = stream.blocking_write_and_flush(&vec![b'x'; written]);
    }
    let _ = OutgoingBody::finish(body, None);
}

/// The trap of an unreachable instruction.
pub(crate) fn trap() -> ! {
    std::process::abort()
}

/// Compute without end.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Compute for so long.
pub(crate) fn spin_for(ms: u64) {
    let until = hull_sdk::wasip2::clocks::monotonic_clock::now() + ms * 1_000_000;
    while hull_sdk::wasip2::clocks::monotonic_clock::now() < until {
        black_box(until);
    }
}

/// Compute so much, however long that takes among others.
pub(crate) fn work(turns: u64) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// Call oneself without end.
#[allow(unconditional_recursion)]
pub(crate) fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1)) + 1)
}

/// Take so much memory and use all of it; the number of bytes that are not zero shows that it is there.
pub(crate) fn hog(mib: u32) -> usize {
    let taken: Vec<Vec<u8>> = (0..mib).map(|_| black_box(vec![1_u8; 1 << 20])).collect();
    taken.iter().map(Vec::len).sum()
}
