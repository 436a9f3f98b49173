//! The allocator, and what it holds back.

/// A request allocates some dozens of small things on one thread and frees them there: what this allocator is for. It asks
/// for no large pages: they bring nothing that shows, and the heap of a host with little to do is three times as large with
/// them. Where the system gives them to everybody they are there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Have the allocator give to the system what this thread holds for later, and what none does.
#[allow(unsafe_code)]
pub(crate) fn give_back() {
    // SAFETY: it takes nothing, may be called on any thread whether or not that has allocated, and looks at this thread's heap
    // and at memory that is free. The allocator has no other way to be told.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
