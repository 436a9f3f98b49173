//! `hull compile-component`: the process that the engine starts to compile one component, so that its bounds on time
//! and memory hold for nothing else.

use std::process::ExitCode;
use std::time::Duration;

use hull_engine::{CompileBounds, CompileJob, compile_worker};

use crate::options::CompileOptions;

/// Compile, and exit as the engine expects it of its worker.
pub(crate) fn run(options: &CompileOptions) -> ExitCode {
    let job = CompileJob {
        flavor: options.flavor,
        input: options.input.clone(),
        output: options.output.clone(),
        bounds: CompileBounds { time: Duration::from_secs(options.time_secs), memory_bytes: options.memory_bytes },
    };
    match compile_worker(&job) {
        Ok(cpu_micros) => {
            println!("{cpu_micros}");
            ExitCode::SUCCESS
        }
        Err((status, message)) => {
            eprintln!("{message}");
            u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
