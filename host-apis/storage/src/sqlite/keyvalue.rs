//! The key-value store: one table, in the same file and so in the same transactions as everything else.

use rusqlite::OptionalExtension;

use super::scope::Scope;
use crate::error::StorageError;
use crate::operation::{Growth, Operation};
use crate::options::{PAGE_KEYS_MAX, check_batch, check_key};
use crate::value::{KeyPage, Swapped};

/// The one store there is so far; the column is there for others.
const STORE: &str = "default";

/// How many keys are looked up on the thread that asks.
const QUICK_KEYS_MAX: usize = 16;

/// The value of a key.
pub(crate) struct Get(pub(crate) String);

impl Operation for Get {
    type Output = Option<Vec<u8>>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn is_quick(&self, _: &Scope<'_>) -> bool {
        true
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        check_key(&self.0)?;
        get(scope, &self.0)
    }
}

/// The values of several keys, in their order.
pub(crate) struct GetMany(pub(crate) Vec<String>);

impl Operation for GetMany {
    type Output = Vec<Option<(String, Vec<u8>)>>;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn is_quick(&self, _: &Scope<'_>) -> bool {
        self.0.len() <= QUICK_KEYS_MAX
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Self::Output, StorageError> {
        check_batch(self.0.len())?;
        let mut bytes = 0;
        let mut values = Vec::with_capacity(self.0.len());
        for key in &self.0 {
            check_key(key)?;
            let value = get(scope, key)?;
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            if bytes > scope.limits.result_bytes_max {
                return Err(StorageError::ResultTooLarge { limit_bytes: scope.limits.result_bytes_max as u64 });
            }
            values.push(value.map(|value| (key.clone(), value)));
        }
        Ok(values)
    }
}

/// Whether a key has a value.
pub(crate) struct Exists(pub(crate) String);

impl Operation for Exists {
    type Output = bool;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn is_quick(&self, _: &Scope<'_>) -> bool {
        true
    }

    fn run(&self, scope: &Scope<'_>) -> Result<bool, StorageError> {
        check_key(&self.0)?;
        let mut statement = scope.host("SELECT 1 FROM hull_kv WHERE store = ?1 AND key = ?2")?;
        statement.exists((STORE, &self.0)).map_err(|error| scope.host_failure(&error))
    }
}

/// The keys after the cursor.
pub(crate) struct ListKeys(pub(crate) Option<String>);

impl Operation for ListKeys {
    type Output = KeyPage;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<KeyPage, StorageError> {
        let after = self.0.as_deref().unwrap_or_default();
        let sql = "SELECT key FROM hull_kv WHERE store = ?1 AND key > ?2 ORDER BY key LIMIT ?3";
        let mut statement = scope.host(sql)?;
        let keys: rusqlite::Result<Vec<String>> =
            statement.query_map((STORE, after, PAGE_KEYS_MAX as i64 + 1), |row| row.get(0)).and_then(Iterator::collect);
        let mut keys = keys.map_err(|error| scope.host_failure(&error))?;
        let more = keys.len() > PAGE_KEYS_MAX;
        keys.truncate(PAGE_KEYS_MAX);
        let cursor = if more { keys.last().cloned() } else { None };
        Ok(KeyPage { keys, cursor })
    }
}

/// Give keys values.
pub(crate) struct SetMany(pub(crate) Vec<(String, Vec<u8>)>);

impl Operation for SetMany {
    type Output = ();

    fn growth(&self) -> Growth {
        Growth::Guest
    }

    fn run(&self, scope: &Scope<'_>) -> Result<(), StorageError> {
        check_batch(self.0.len())?;
        self.0.iter().try_for_each(|(key, value)| set(scope, key, value))
    }
}

/// Take keys out.
pub(crate) struct DeleteMany(pub(crate) Vec<String>);

impl Operation for DeleteMany {
    type Output = ();

    fn growth(&self) -> Growth {
        Growth::Guest
    }

    fn run(&self, scope: &Scope<'_>) -> Result<(), StorageError> {
        check_batch(self.0.len())?;
        self.0.iter().try_for_each(|key| {
            check_key(key)?;
            scope.host_execute("DELETE FROM hull_kv WHERE store = ?1 AND key = ?2", (STORE, key)).map(drop)
        })
    }
}

/// Add to a number that is kept as decimal text; a key without a value counts as 0.
pub(crate) struct Increment {
    pub(crate) key: String,
    pub(crate) delta: i64,
}

impl Operation for Increment {
    type Output = i64;

    fn growth(&self) -> Growth {
        Growth::Guest
    }

    fn run(&self, scope: &Scope<'_>) -> Result<i64, StorageError> {
        check_key(&self.key)?;
        let present = match get(scope, &self.key)? {
            None => 0,
            Some(value) => std::str::from_utf8(&value)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| StorageError::Invalid(format!("the value of {:?} is not a decimal number", self.key)))?,
        };
        let sum = present.checked_add(self.delta).ok_or_else(|| {
            StorageError::Invalid(format!("{present} and {} add up to more than 64 bits hold", self.delta))
        })?;
        set(scope, &self.key, sum.to_string().as_bytes())?;
        Ok(sum)
    }
}

/// Replace a value if it is still the expected one.
pub(crate) struct Swap {
    pub(crate) key: String,
    pub(crate) expected: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
}

impl Operation for Swap {
    type Output = Swapped;

    fn growth(&self) -> Growth {
        Growth::Guest
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Swapped, StorageError> {
        check_key(&self.key)?;
        let present = get(scope, &self.key)?;
        if present != self.expected {
            return Ok(Swapped::Changed(present));
        }
        set(scope, &self.key, &self.value)?;
        Ok(Swapped::Done)
    }
}

fn get(scope: &Scope<'_>, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
    let mut statement = scope.host("SELECT value FROM hull_kv WHERE store = ?1 AND key = ?2")?;
    let value = statement.query_row((STORE, key), |row| row.get(0)).optional();
    value.map_err(|error| scope.host_failure(&error))
}

fn set(scope: &Scope<'_>, key: &str, value: &[u8]) -> Result<(), StorageError> {
    check_key(key)?;
    if value.len() > scope.limits.value_bytes_max {
        return Err(scope.value_too_large());
    }
    let sql = "INSERT INTO hull_kv (store, key, value) VALUES (?1, ?2, ?3) \
               ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
    scope.host_execute(sql, (STORE, key, value)).map(drop)
}
