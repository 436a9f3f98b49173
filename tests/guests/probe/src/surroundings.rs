//! What the host lets a guest see of the world: settings, environment, files, clocks, and itself.

use std::cell::Cell;

use hull_sdk::bindings::wasi::config::store;
use serde_json::{Value, json};

use crate::op::Fault;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// How often this instance has been asked.
pub(crate) fn count() -> u64 {
    COUNT.with(|count| {
        count.set(count.get() + 1);
        count.get()
    })
}

/// A setting, or all of them.
pub(crate) fn config(key: Option<&str>) -> Result<Value, Fault> {
    let told = |error: store::Error| Fault::new("config", &format!("{error:?}"));
    match key {
        Some(key) => Ok(store::get(key).map_err(told)?.into()),
        None => Ok(store::get_all().map_err(told)?.into_iter().map(|(k, v)| (k, Value::from(v))).collect()),
    }
}

/// An environment variable, or all of them.
pub(crate) fn environment(name: Option<&str>) -> Value {
    match name {
        Some(name) => std::env::var(name).ok().into(),
        None => std::env::vars().map(|(name, value)| (name, Value::from(value))).collect(),
    }
}

/// A file's text.
pub(crate) fn read(path: &str) -> Result<Value, Fault> {
    std::fs::read_to_string(path).map(Value::from).map_err(|e| of_io(&e))
}

/// The names in a folder.
pub(crate) fn list(path: &str) -> Result<Value, Fault> {
    let entries = std::fs::read_dir(path).map_err(|e| of_io(&e))?;
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names.into())
}

/// Try to write a file.
pub(crate) fn write(path: &str) -> Result<Value, Fault> {
    std::fs::write(path, "changed").map(|()| Value::Null).map_err(|e| of_io(&e))
}

/// Try to open a connection past `wasi:http`.
pub(crate) fn connect(address: &str) -> Result<Value, Fault> {
    std::net::TcpStream::connect(address).map(|_| json!("connected")).map_err(|e| of_io(&e))
}

fn of_io(error: &std::io::Error) -> Fault {
    Fault::new("io", &error.to_string())
}
