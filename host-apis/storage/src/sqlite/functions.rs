//! Functions of SQLite whose time grows with the product of their arguments, made anew so that it grows with the sum:
//! one call of SQLite's own could run for seconds, and nothing interrupts a call. They answer as SQLite's do, except
//! that a text they make has to be UTF-8.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use memchr::memmem;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result, ffi};

use super::control::Control;

thread_local! {
    /// SQLite's own words for a number, which the functions need where they are given one instead of a text.
    static NUMBERS: Result<Connection> = Connection::open_in_memory();
}

/// Put them in the place of SQLite's.
pub(super) fn replace_costly(raw: &Connection, control: &Arc<Control>) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    let of = |function: fn(&Context<'_>, usize) -> Result<Value>| {
        let control = Arc::clone(control);
        move |context: &Context<'_>| {
            if control.must_stop() {
                return Err(failed(ffi::SQLITE_INTERRUPT));
            }
            function(context, control.value_bytes_max())
        }
    };
    raw.create_scalar_function("instr", 2, flags, of(instr))?;
    raw.create_scalar_function("replace", 3, flags, of(replace))?;
    raw.create_scalar_function("trim", 2, flags, of(|context, _| trim(context, true, true)))?;
    raw.create_scalar_function("ltrim", 2, flags, of(|context, _| trim(context, true, false)))?;
    raw.create_scalar_function("rtrim", 2, flags, of(|context, _| trim(context, false, true)))?;
    raw.create_scalar_function("unhex", 2, flags, of(|_, _| Err(error("unhex takes one argument here"))))
}

/// Where the second argument begins in the first, from 1; bytes of blobs, characters otherwise.
fn instr(context: &Context<'_>, _: usize) -> Result<Value> {
    let (within, sought) = (context.get_raw(0), context.get_raw(1));
    let count_bytes = matches!((within, sought), (ValueRef::Blob(_), ValueRef::Blob(_)));
    let (Some(within), Some(sought)) = (text(within)?, text(sought)?) else { return Ok(Value::Null) };
    let Some(at) = memmem::find(&within, &sought) else { return Ok(Value::Integer(0)) };
    let before = within.get(..at).unwrap_or_default();
    let before = if count_bytes { at } else { before.iter().filter(|byte| !continues(**byte)).count() };
    Ok(Value::Integer(before as i64 + 1))
}

/// The first argument with the third in each place of the second.
fn replace(context: &Context<'_>, bytes_max: usize) -> Result<Value> {
    let (Some(within), Some(sought)) = (text(context.get_raw(0))?, text(context.get_raw(1))?) else {
        return Ok(Value::Null);
    };
    if sought.is_empty() {
        return context.get(0);
    }
    let Some(instead) = text(context.get_raw(2))? else { return Ok(Value::Null) };
    let (mut made, mut from) = (Vec::new(), 0);
    for at in memmem::find_iter(&within, &*sought) {
        made.extend_from_slice(within.get(from..at).unwrap_or_default());
        made.extend_from_slice(&instead);
        from = at + sought.len();
        if made.len() > bytes_max {
            return Err(failed(ffi::SQLITE_TOOBIG));
        }
    }
    made.extend_from_slice(within.get(from..).unwrap_or_default());
    made_text(made)
}

/// The first argument without the characters of the second at its ends.
fn trim(context: &Context<'_>, left: bool, right: bool) -> Result<Value> {
    let (Some(whole), Some(characters)) = (text(context.get_raw(0))?, text(context.get_raw(1))?) else {
        return Ok(Value::Null);
    };
    let mut set = HashSet::new();
    let mut rest = &*characters;
    while let Some((first, others)) = rest.split_at_checked(first_length(rest)).filter(|_| !rest.is_empty()) {
        set.insert(first);
        rest = others;
    }
    let mut kept = &*whole;
    while left
        && !kept.is_empty()
        && let Some((first, others)) = kept.split_at_checked(first_length(kept))
        && set.contains(first)
    {
        kept = others;
    }
    while right
        && let Some(at) = kept.iter().rposition(|byte| !continues(*byte))
        && let Some((others, last)) = kept.split_at_checked(at)
        && set.contains(last)
    {
        kept = others;
    }
    made_text(kept.to_vec())
}

/// How many bytes the first character has.
fn first_length(text: &[u8]) -> usize {
    1 + text.iter().skip(1).take_while(|byte| continues(**byte)).count()
}

/// Whether a byte is not the first one of a character of UTF-8.
fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// A value as text; none for NULL.
fn text(value: ValueRef<'_>) -> Result<Option<Cow<'_, [u8]>>> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(Cow::Borrowed(bytes)),
        ValueRef::Integer(number) => Some(Cow::Owned(number.to_string().into_bytes())),
        ValueRef::Real(number) => Some(Cow::Owned(NUMBERS.with(|numbers| {
            let numbers = numbers.as_ref().map_err(|_| failed(ffi::SQLITE_NOMEM))?;
            let mut cast = numbers.prepare_cached("SELECT CAST(?1 AS TEXT)")?;
            cast.query_row([number], |row| row.get::<_, String>(0)).map(String::into_bytes)
        })?)),
    })
}

fn made_text(bytes: Vec<u8>) -> Result<Value> {
    String::from_utf8(bytes).map(Value::Text).map_err(|_| error("the text that this makes is not UTF-8"))
}

fn failed(code: i32) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), None)
}

fn error(text: &str) -> Error {
    Error::UserFunctionError(text.into())
}
