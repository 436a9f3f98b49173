//! What an operator decides: hull.toml, addresses, the state directory.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use hull_tests::app::run;
use hull_tests::files;

use crate::{START_TIME, app, failed};

#[test]
fn hull_toml_says_where_flags_do_not() -> anyhow::Result<()> {
    let app = app()?;
    let state = app.folder().join("elsewhere");
    app.write("hull.toml", "state-dir = \"elsewhere\"\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n")?;
    let mut command = Command::new(files::hull()?);
    command.args(["up", "--json"]).current_dir(app.folder());
    let host = hull_tests::host::Host::start(command, &state)?;
    host.client().get("/probe/hello")?.expect(200)?;
    assert!(state.join("format").is_file());
    // Commands find the host by the same file.
    let mut status = Command::new(files::hull()?);
    status.arg("status").current_dir(app.folder());
    let status = run(status)?;
    assert_eq!(status.status, Some(0), "{}", status.said());
    host.stop().map(drop)
}

#[test]
fn a_wrong_hull_toml_is_refused_by_line() -> anyhow::Result<()> {
    let app = app()?;
    app.write("hull.toml", "listen = \"127.0.0.1:0\"\nlisen = 1\n[bus]\nretain = \"a week\"\n")?;
    let ended = app.up_ends()?;
    failed(&ended, &["hull.toml:2", "lisen", "hull.toml:4", "retain"]);
    let bus = "[bus]\nbackend = \"nats\"\nurl = \"nats://127.0.0.1:4222\"\ncredentials = \"missing.creds\"\n";
    app.write("hull.toml", bus)?;
    failed(&app.up_ends()?, &["missing.creds"]);
    Ok(())
}

#[test]
fn a_socket_needs_no_token() -> anyhow::Result<()> {
    let app = app()?;
    let socket = app.folder().join("admin.sock");
    let path = socket.display().to_string();
    let mut command = Command::new(files::hull()?);
    command.args(["up", "--json", "--listen", "127.0.0.1:0", "--admin", &path, "-f"]).arg(app.manifest());
    command.arg("--state-dir").arg(app.state_dir()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    let stdout = hull_tests::output::Output::of(child.stdout.take().expect("piped"));
    let answer = (|| {
        hull_tests::wait::until_within(START_TIME, "the host to be ready", || {
            Ok(stdout.find(|line| line.contains("ready").then_some(())))
        })?;
        let mut stream = UnixStream::connect(&socket)?;
        stream.write_all(b"GET /v1/apps HTTP/1.1\r\nhost: hull\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        anyhow::Ok((answer, app.command(&["status"])?))
    })();
    child.kill()?;
    child.wait()?;
    let (answer, status) = answer?;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("small"), "{answer}");
    assert_eq!(status.status, Some(0), "{}", status.said());
    Ok(())
}

#[test]
fn what_is_not_there_is_named() -> anyhow::Result<()> {
    let app = app()?;
    fs::remove_file(app.manifest())?;
    failed(&app.up_ends()?, &["spin.toml"]);
    failed(&app.check()?, &["spin.toml"]);

    let app = crate::app()?;
    fs::remove_dir_all(app.state_dir())?;
    fs::write(app.state_dir(), "a file")?;
    failed(&app.up_ends()?, &["state"]);
    assert_eq!(fs::read_to_string(app.state_dir())?, "a file");
    Ok(())
}

#[test]
fn an_interrupt_ends_it_like_a_termination() -> anyhow::Result<()> {
    let app = app()?;
    let mut host = app.up()?;
    host.signal(rustix::process::Signal::INT)?;
    let status = host.ended(Duration::from_secs(10))?;
    assert!(status.success(), "{status} {}", host.said());
    Ok(())
}
