//! The kernel's idle class, for threads that work for one component: who serves everybody takes the processor from them at
//! once, where a thread that is only nicer keeps it until the next tick of the kernel's clock, and a processor that runs
//! nothing else counts as free when the kernel looks for one. See sched(7).

use std::io;

/// Put this thread into it. There is no way back without the right to be less nice.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn join() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: zero is the calling thread, and the pointer is to a local that outlives the call.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Other kernels have none.
#[cfg(not(target_os = "linux"))]
pub(crate) fn join() -> io::Result<()> {
    Ok(())
}
