//! A thread that makes the others, whoever asks for one, so that none begins with the low priority of who asked.

use std::io;
use std::sync::{OnceLock, mpsc};
use std::thread::{Builder, JoinHandle};

struct Order {
    name: String,
    run: Box<dyn FnOnce() + Send>,
    made: Box<dyn FnOnce(io::Result<JoinHandle<()>>) + Send>,
}

static MAKER: OnceLock<io::Result<mpsc::Sender<Order>>> = OnceLock::new();

/// Start a thread with the priority of the process, and wait until it is made. A thread that gives way may ask for one if
/// the maker was started before. Fails where the machine gives no more threads.
pub fn spawn(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let (tell, thread) = mpsc::sync_channel(1);
    // Whoever ordered it waits for it.
    order(name, run, move |made| drop(tell.send(made)));
    thread.recv().map_err(|_| gone())?
}

/// The same without waiting; `made` is told what became of it. Whoever orders bounds how many there are.
pub(crate) fn order(
    name: impl Into<String>,
    run: impl FnOnce() + Send + 'static,
    made: impl FnOnce(io::Result<JoinHandle<()>>) + Send + 'static,
) {
    let order = Order { name: name.into(), run: Box::new(run), made: Box::new(made) };
    match maker() {
        Err(error) => (order.made)(Err(error)),
        Ok(maker) => {
            if let Err(mpsc::SendError(order)) = maker.send(order) {
                (order.made)(Err(gone()));
            }
        }
    }
}

/// Start the maker.
pub(crate) fn start() -> io::Result<()> {
    maker().map(|_| ())
}

fn gone() -> io::Error {
    io::Error::other("the thread that makes threads has ended")
}

/// There are no more orders than threads: whoever orders waits for the thread, or counts it.
fn maker() -> io::Result<&'static mpsc::Sender<Order>> {
    let made = MAKER.get_or_init(|| {
        let (orders, ordered) = mpsc::channel();
        Builder::new().name("hull-threads".to_owned()).spawn(move || make(&ordered))?;
        Ok(orders)
    });
    made.as_ref().map_err(|error| io::Error::other(error.to_string()))
}

fn make(ordered: &mpsc::Receiver<Order>) {
    for Order { name, run, made } in ordered {
        made(Builder::new().name(name).spawn(run));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::spawn;
    use crate::{join_idle_class, lower};

    fn niceness() -> i32 {
        rustix::process::getpriority_process(None).expect("it has one")
    }

    #[test]
    fn who_is_made_by_one_that_gives_way_does_not_give_way() {
        let before = niceness();
        let (send, receive) = mpsc::channel();
        spawn("meek", move || {
            lower(7);
            join_idle_class();
            // Asking for the same again changes nothing, and for more raises nothing.
            lower(7);
            let meek = niceness();
            let made = spawn("proud", move || send.send((meek, niceness())).expect("the test waits"));
            made.expect("a thread").join().expect("it does not panic");
        })
        .expect("a thread");
        assert_eq!(receive.recv(), Ok(((before + 7).min(19), before)));
    }
}
