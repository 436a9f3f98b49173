//! What command lines mean, and which ones are wrong.

use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Command, DeadLettersCommand, Template};

fn parse(line: &str) -> Command {
    Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|error| panic!("{line}\n{error}")).command
}

/// What is said of a line that is a wrong use.
fn refused(line: &str) -> String {
    let error = Cli::try_parse_from(line.split_whitespace()).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn up_has_its_defaults() {
    let Command::Up(up) = parse("hull up") else { panic!("another command") };
    let serve = up.serve;
    assert_eq!((up.file.to_str(), serve.config, serve.drain), (Some("spin.toml"), None, Duration::from_secs(30)));
    assert!(serve.listen.is_none() && serve.admin.is_none() && serve.state_dir.is_none() && !up.build && !serve.json);
    let line = "hull up -f a.toml --config h.toml --listen [::1]:0 --admin ./s --state-dir d --drain 5s --build --json";
    let Command::Up(up) = parse(line) else { panic!("another command") };
    assert_eq!(up.serve.listen.map(|listen| listen.to_string()).as_deref(), Some("[::1]:0"));
    assert_eq!(up.serve.admin.map(|admin| admin.to_string()).as_deref(), Some("./s"));
    assert_eq!(up.serve.drain, Duration::from_secs(5));
}

#[test]
fn wrong_values_are_wrong_uses() {
    for (line, said) in [
        ("hull", "Usage"),
        ("hull fly", "unrecognized subcommand"),
        ("hull up --listen localhost", "an address and a port"),
        ("hull up --drain 5", "unit"),
        ("hull new http Bad_Name", "cannot be a name"),
        ("hull new soap name", "possible values: http, messaging, full"),
        ("hull invoke orders GET api", "write a path"),
        ("hull invoke orders GET", "required"),
        ("hull publish orders.*", "wildcards"),
        ("hull publish", "required"),
        ("hull dead-letters show 3", "COMPONENT/NUMBER"),
        ("hull dead-letters purge", "required"),
        ("hull dead-letters purge --component orders", "required"),
        ("hull dead-letters purge orders/1 --all", "cannot be used with"),
        ("hull dead-letters replay orders/1 --component orders", "cannot be used with"),
        ("hull compile-component fast a b 1 1", "sequential"),
        ("hull logs -n many", "invalid"),
        ("hull deploy orders", "required"),
        ("hull deploy orders a.wasm -f spin.toml", "cannot be used with"),
        ("hull rollback 0", "0 is not in"),
    ] {
        let error = refused(line);
        assert!(error.contains(said), "{line}\n{error}");
    }
}

#[test]
fn dead_letters_are_named_one_by_one_or_all() {
    let Command::DeadLetters(DeadLettersCommand::Replay(one)) = parse("hull dead-letters replay orders/3 carts/1")
    else {
        panic!("another command")
    };
    let ids: Vec<String> = one.letters.iter().map(ToString::to_string).collect();
    assert_eq!((ids, one.all), (vec!["orders/3".to_owned(), "carts/1".to_owned()], false));
    let line = "hull dead-letters purge --all --component orders --reason x";
    let Command::DeadLetters(DeadLettersCommand::Purge(all)) = parse(line) else { panic!("another command") };
    assert!(all.all && all.letters.is_empty());
    assert_eq!(all.filter.component.map(|name| name.to_string()).as_deref(), Some("orders"));
}

#[test]
fn bodies_may_look_like_flags() {
    let Command::Invoke(invoke) = parse("hull invoke orders POST /api --data - --json") else { panic!("another") };
    assert_eq!((invoke.data.as_deref(), invoke.host.json), (Some("-"), true));
    let Command::New(new) = parse("hull new full my-app") else { panic!("another command") };
    assert_eq!((new.template, new.name.as_str()), (Template::Full, "my-app"));
}

#[test]
fn the_compile_worker_is_hidden() {
    let help = Cli::command().render_long_help().to_string();
    assert!(help.contains("dead-letters") && !help.contains("compile-component"), "{help}");
    assert!(matches!(parse("hull compile-component sequential in out 60 1000"), Command::CompileComponent(_)));
}

#[test]
fn an_admin_address_may_be_a_url() {
    let Command::Status(status) = parse("hull status --admin http://127.0.0.1:4201/") else {
        panic!("another command")
    };
    assert_eq!(status.host.admin.map(|admin| admin.to_string()).as_deref(), Some("127.0.0.1:4201"));
    assert!(refused("hull status --admin https://127.0.0.1:4201").contains("127.0.0.1:3001"));
    assert!(refused("hull status --admin http://nowhere").contains("127.0.0.1:3001"));
}
