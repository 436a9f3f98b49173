//! Running out of file descriptors. The limit is the process's, so the test runs in one of its own.

use std::fs::File;
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::net::TcpSocket;

use crate::fake::Running;
use crate::passing::wait_until;
use crate::wire::Wire;

const IN_CHILD: &str = "HULL_TEST_IN_CHILD";
const NAME: &str = "descriptors::accepting_goes_on_when_descriptors_come_back";

#[test]
fn accepting_goes_on_when_descriptors_come_back() {
    if std::env::var_os(IN_CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        return runtime.block_on(run_out_and_recover());
    }
    let program = std::env::current_exe().expect("this program");
    let child = Command::new(program).args(["--exact", NAME]).env(IN_CHILD, "1").output().expect("the child runs");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&child.stderr));
}

async fn run_out_and_recover() {
    let running = Running::start(|_| {});
    let socket = TcpSocket::new_v4().expect("a socket");
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).expect("a lower limit");
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!taken.is_empty());
    // The client has its descriptor already; the gateway finds none for its side.
    let stream = socket.connect(running.address).await.expect("the system accepts");
    wait_until(|| !running.metrics.render().contains("hull_accept_errors_total 0")).await;
    drop(taken);
    let mut wire = Wire::over(stream);
    wire.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
}
