//! How threads give way. There is no way back without the right to be less nice.

use std::io;
use std::sync::OnceLock;

/// The niceness that the process was started with, or has when it is first asked for.
static BASE: OnceLock<rustix::io::Result<i32>> = OnceLock::new();

/// Lower the priority of this thread to so much below the one that the process was started with; `niceness` as in
/// setpriority(2). What cannot be done is logged.
pub fn lower(niceness: i32) {
    let set = base().and_then(|base| rustix::process::setpriority_process(None, base + niceness));
    if let Err(error) = set {
        warn(&error.into(), "this thread has not the priority that it should have");
    }
}

pub(crate) fn base() -> rustix::io::Result<i32> {
    // The first thread has the id of the process and never gives way.
    *BASE.get_or_init(|| rustix::process::getpriority_process(Some(rustix::process::getpid())))
}

/// Put this thread into the kernel's idle class: who serves takes the processor from it at once, where a thread that is
/// only nicer keeps it until the next tick of the kernel's clock, and a processor that runs nothing else counts as free
/// when the kernel looks for one. See sched(7). What cannot be done is logged.
pub fn join_idle_class() {
    if let Err(error) = set_idle_class() {
        warn(&error, "guest threads give way to serving threads less than they could");
    }
}

fn warn(error: &io::Error, what: &str) {
    let thread = std::thread::current();
    tracing::warn!(%error, thread = thread.name(), "{what}");
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn set_idle_class() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: zero is the calling thread, and the pointer is to a local that outlives the call.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Other kernels have none.
#[cfg(not(target_os = "linux"))]
fn set_idle_class() -> io::Result<()> {
    Ok(())
}
