//! The steps of a script, and what each one does.

use hull_sdk::bindings::hull::messaging::types::Message;
use hull_sdk::bindings::hull::messaging::{producer, request_reply};
use hull_sdk::bindings::hull::sql::database;
use hull_sdk::bindings::hull::sql::types::{Error as SqlError, Value as SqlValue};
use hull_sdk::bindings::hull::transactions::transactions::{Error as UnitError, Transaction};
use hull_sdk::bindings::wasi::keyvalue::{atomics, store};
use hull_sdk::logging;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::outgoing::{self, Call};
use crate::{misbehave, surroundings};

/// One step.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Step {
    Open {
        store: String,
    },
    Get {
        key: String,
    },
    Set {
        key: String,
        value: String,
    },
    Fill {
        key: String,
        bytes: usize,
    },
    Delete {
        key: String,
    },
    Exists {
        key: String,
    },
    Keys,
    Increment {
        key: String,
        by: i64,
    },
    Query {
        sql: String,
        #[serde(default)]
        params: Vec<Value>,
    },
    Execute {
        sql: String,
        #[serde(default)]
        params: Vec<Value>,
    },
    Begin,
    Commit,
    Rollback,
    Forget,
    Publish {
        subject: String,
        id: Option<String>,
        #[serde(default)]
        headers: Vec<(String, String)>,
        payload: Value,
        deliver_at: Option<u64>,
    },
    Request {
        subject: String,
        payload: Value,
        timeout_ms: u32,
    },
    Reply {
        payload: Value,
    },
    Call(Call),
    Config {
        key: Option<String>,
    },
    Env {
        name: Option<String>,
    },
    Read {
        path: String,
    },
    List {
        path: String,
    },
    Write {
        path: String,
    },
    Connect {
        address: String,
    },
    Now,
    Count,
    Log {
        message: String,
    },
    Print {
        message: String,
    },
    Sleep {
        ms: u64,
    },
    Spin {
        ms: u64,
    },
    Work {
        turns: u64,
    },
    Trap,
    Panic {
        message: String,
    },
    Loop,
    Recurse,
    Hog {
        mib: u32,
    },
}

/// How a step failed.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: String,
    detail: String,
}

impl Fault {
    /// A word for tests to look at, and the text.
    pub(crate) fn new(kind: &str, detail: &str) -> Self {
        Self { kind: kind.to_owned(), detail: detail.to_owned() }
    }

    /// As part of an answer.
    pub(crate) fn told(&self) -> Value {
        json!({"error": self.kind, "detail": self.detail})
    }
}

/// The unit of work that a script has opened.
pub(crate) type Open = Option<Transaction>;

/// Do one step.
pub(crate) fn perform(step: Step, open: &mut Open) -> Result<Value, Fault> {
    match step {
        Step::Query { .. } | Step::Execute { .. } => sql(step),
        Step::Begin | Step::Commit | Step::Rollback | Step::Forget => unit(&step, open),
        Step::Publish { .. } | Step::Request { .. } | Step::Reply { .. } => messaging(step),
        Step::Call(call) => outgoing::call(&call),
        Step::Config { key } => surroundings::config(key.as_deref()),
        Step::Env { name } => Ok(surroundings::environment(name.as_deref())),
        Step::Read { path } => surroundings::read(&path),
        Step::List { path } => surroundings::list(&path),
        Step::Write { path } => surroundings::write(&path),
        Step::Connect { address } => surroundings::connect(&address),
        Step::Now => Ok(hull_sdk::clock::now_ms().into()),
        Step::Count => Ok(surroundings::count().into()),
        Step::Log { .. } | Step::Print { .. } | Step::Sleep { .. } | Step::Spin { .. } | Step::Work { .. } => {
            pass(&step);
            Ok(Value::Null)
        }
        Step::Trap => misbehave::trap(),
        Step::Panic { message } => panic!("{message}"),
        Step::Loop => misbehave::spin(),
        Step::Recurse => Ok(misbehave::recurse(0).into()),
        Step::Hog { mib } => Ok(misbehave::hog(mib).into()),
        other => key_value(other),
    }
}

fn done((): ()) -> Value {
    Value::Null
}

/// What can only be done.
fn pass(step: &Step) {
    match step {
        Step::Log { message } => logging::info("probe", message),
        Step::Print { message } => println!("{message}"),
        Step::Sleep { ms } => hull_sdk::clock::sleep(std::time::Duration::from_millis(*ms)),
        Step::Spin { ms } => misbehave::spin_for(*ms),
        Step::Work { turns } => misbehave::work(*turns),
        _ => {}
    }
}

fn key_value(step: Step) -> Result<Value, Fault> {
    let name = if let Step::Open { store } = &step { store.clone() } else { "default".to_owned() };
    let bucket = store::open(&name).map_err(of_store)?;
    let text = |bytes: Option<Vec<u8>>| bytes.map(|b| String::from_utf8_lossy(&b).into_owned()).into();
    match step {
        Step::Get { key } => bucket.get(&key).map(text).map_err(of_store),
        Step::Set { key, value } => bucket.set(&key, value.as_bytes()).map(done).map_err(of_store),
        Step::Fill { key, bytes } => bucket.set(&key, &vec![b'x'; bytes]).map(done).map_err(of_store),
        Step::Delete { key } => bucket.delete(&key).map(done).map_err(of_store),
        Step::Exists { key } => bucket.exists(&key).map(Value::from).map_err(of_store),
        Step::Keys => bucket.list_keys(None).map(|page| page.keys.into()).map_err(of_store),
        Step::Increment { key, by } => atomics::increment(&bucket, &key, by).map(Value::from).map_err(of_store),
        _ => Ok(Value::Null),
    }
}

fn of_store(error: store::Error) -> Fault {
    match error {
        store::Error::NoSuchStore => Fault::new("no-such-store", ""),
        store::Error::AccessDenied => Fault::new("access-denied", ""),
        store::Error::Other(why) => Fault::new("other", &why),
    }
}

fn sql(step: Step) -> Result<Value, Fault> {
    let values = |params: Vec<Value>| params.iter().map(parameter).collect::<Vec<_>>();
    match step {
        Step::Query { sql, params } => {
            let result = database::query(&sql, &values(params)).map_err(|e| of_sql(&e))?;
            let rows: Vec<Value> =
                result.rows.iter().map(|row| row.iter().map(column).collect::<Vec<_>>().into()).collect();
            Ok(rows.into())
        }
        Step::Execute { sql, params } => {
            database::execute(&sql, &values(params)).map(Value::from).map_err(|e| of_sql(&e))
        }
        _ => Ok(Value::Null),
    }
}

fn parameter(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(yes) => SqlValue::Boolean(*yes),
        Value::Number(n) => n.as_i64().map_or_else(|| SqlValue::Real(n.as_f64().unwrap_or(0.0)), SqlValue::Integer),
        Value::String(text) => SqlValue::Text(text.clone()),
        nested => SqlValue::Text(nested.to_string()),
    }
}

fn column(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Boolean(yes) => (*yes).into(),
        SqlValue::Integer(number) => (*number).into(),
        SqlValue::Real(number) => (*number).into(),
        SqlValue::Text(text) => text.as_str().into(),
        SqlValue::Blob(bytes) => bytes.clone().into(),
    }
}

fn of_sql(error: &SqlError) -> Fault {
    let (kind, detail) = match error {
        SqlError::Denied(why) => ("denied", why.clone()),
        SqlError::Invalid(why) => ("invalid", why.clone()),
        SqlError::Constraint(broken) => ("constraint", broken.message.clone()),
        SqlError::Conflict => ("conflict", String::new()),
        SqlError::WouldDeadlock => ("would-deadlock", String::new()),
        SqlError::Timeout(why) => ("timeout", why.clone()),
        SqlError::TooManyRows(most) => ("too-many-rows", most.to_string()),
        SqlError::QuotaExceeded(why) => ("quota-exceeded", why.clone()),
        SqlError::Other(why) => ("other", why.clone()),
    };
    Fault::new(kind, &detail)
}

fn unit(step: &Step, open: &mut Open) -> Result<Value, Fault> {
    let none = || Fault::new("no-unit", "the script has opened none");
    match step {
        Step::Begin => {
            *open = Some(Transaction::begin().map_err(|e| of_unit(&e))?);
            Ok(Value::Null)
        }
        Step::Commit => Transaction::commit(open.take().ok_or_else(none)?).map(done).map_err(|e| of_unit(&e)),
        Step::Rollback => Transaction::rollback(open.take().ok_or_else(none)?).map(done).map_err(|e| of_unit(&e)),
        _ => Ok(open.take().is_some().into()),
    }
}

fn of_unit(error: &UnitError) -> Fault {
    let (kind, detail) = match error {
        UnitError::AlreadyOpen => ("already-open", String::new()),
        UnitError::Expired(why) => ("expired", why.clone()),
        UnitError::Conflict => ("conflict", String::new()),
        UnitError::WouldDeadlock => ("would-deadlock", String::new()),
        UnitError::QuotaExceeded(why) => ("quota-exceeded", why.clone()),
        UnitError::Other(why) => ("other", why.clone()),
    };
    Fault::new(kind, &detail)
}

fn messaging(step: Step) -> Result<Value, Fault> {
    let message = |subject, id, headers, payload: &Value, deliver_at| {
        // A text is sent as it is, so that a payload need not be JSON.
        let payload = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned).into_bytes();
        Message { subject, id, headers, payload, deliver_at }
    };
    let failed = |error| of_messaging(&error);
    match step {
        Step::Publish { subject, id, headers, payload, deliver_at } => {
            producer::publish(&message(subject, id, headers, &payload, deliver_at)).map(Value::from).map_err(failed)
        }
        Step::Request { subject, payload, timeout_ms } => {
            let message = message(subject, None, Vec::new(), &payload, None);
            let reply = request_reply::request(&message, timeout_ms).map_err(failed)?;
            Ok(String::from_utf8_lossy(&reply.payload).into_owned().into())
        }
        Step::Reply { payload } => {
            let reply = request_reply::Reply { headers: Vec::new(), payload: payload.to_string().into_bytes() };
            request_reply::respond(&reply).map(done).map_err(failed)
        }
        _ => Ok(Value::Null),
    }
}

fn of_messaging(error: &producer::Error) -> Fault {
    use producer::Error;
    let (kind, detail) = match error {
        Error::Denied(why) => ("denied", why.clone()),
        Error::Invalid(why) => ("invalid", why.clone()),
        Error::TooLarge(most) => ("too-large", most.to_string()),
        Error::RateLimited(ms) => ("rate-limited", ms.to_string()),
        Error::IdReused(why) => ("id-reused", why.clone()),
        Error::Full(why) => ("full", why.clone()),
        Error::NoResponder => ("no-responder", String::new()),
        Error::Timeout => ("timeout", String::new()),
        Error::UnitFailed(why) => ("unit-failed", why.clone()),
        Error::Unavailable(why) => ("unavailable", why.clone()),
    };
    Fault::new(kind, &detail)
}
