//! The key-value store: functions of the host's over one table, called on the connection of the guest so that they are
//! in the same transactions as everything else.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use super::operation::{OnPostgres, Runs};
use super::scope::{Scope, column};
use crate::error::StorageError;
use crate::operation::Operation;
use crate::options::{PAGE_KEYS_MAX, check_batch, check_key};
use crate::sqlite::{DeleteMany, Exists, Get, GetMany, Increment, ListKeys, SetMany, Swap};
use crate::value::{KeyPage, Swapped};

impl OnPostgres for Get {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Option<Vec<u8>>, StorageError> {
        check_key(&self.0)?;
        get(scope, &self.0).await
    }
}

impl OnPostgres for Exists {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<bool, StorageError> {
        check_key(&self.0)?;
        let sql = "SELECT {}.hull_get($1, $2) IS NOT NULL";
        let row = scope.host_row(sql, &[(&scope.opened.key, Type::BYTEA), (&self.0, Type::TEXT)]).await?;
        row.map_or(Ok(false), |row| column(&row, 0))
    }
}

impl OnPostgres for GetMany {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Self::Output, StorageError> {
        check_batch(self.0.len())?;
        self.0.iter().try_for_each(|key| check_key(key))?;
        let sql = "SELECT * FROM {}.hull_get_many($1, $2)";
        let rows = scope.host(sql, &[(&scope.opened.key, Type::BYTEA), (&self.0, Type::TEXT_ARRAY)]).await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            found.insert(column::<&str>(row, 0)?, column::<&[u8]>(row, 1)?);
        }
        let bytes: usize =
            self.0.iter().map(|key| key.len() + found.get(key.as_str()).map_or(0, |value| value.len())).sum();
        if bytes > scope.limits.result_bytes_max {
            return Err(scope.result_too_large());
        }
        Ok(self.0.iter().map(|key| found.get(key.as_str()).map(|value| (key.clone(), value.to_vec()))).collect())
    }
}

impl OnPostgres for ListKeys {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<KeyPage, StorageError> {
        let (after, page) = (self.0.as_deref().unwrap_or_default(), PAGE_KEYS_MAX as i64 + 1);
        let sql = "SELECT * FROM {}.hull_list($1, $2, $3)";
        let parameters = [(&scope.opened.key as _, Type::BYTEA), (&after as _, Type::TEXT), (&page as _, Type::INT8)];
        let rows = scope.host(sql, &parameters).await?;
        let mut keys: Vec<String> = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
        let more = keys.len() > PAGE_KEYS_MAX;
        keys.truncate(PAGE_KEYS_MAX);
        let cursor = if more { keys.last().cloned() } else { None };
        Ok(KeyPage { keys, cursor })
    }
}

impl OnPostgres for SetMany {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<(), StorageError> {
        check_batch(self.0.len())?;
        let mut bytes = 0;
        // The last of several values for one key counts.
        let mut last: HashMap<&str, &[u8]> = HashMap::with_capacity(self.0.len());
        for (key, value) in &self.0 {
            check_key(key)?;
            check_value(scope, value)?;
            bytes += key.len() + value.len();
            last.insert(key, value);
        }
        let before = scope.before_growth(self.growth()).await?;
        let (keys, values): (Vec<&str>, Vec<&[u8]>) = last.into_iter().unzip();
        let sql = "SELECT {}.hull_set($1, $2, $3)";
        scope
            .host(sql, &[(&scope.opened.key, Type::BYTEA), (&keys, Type::TEXT_ARRAY), (&values, Type::BYTEA_ARRAY)])
            .await?;
        scope.after_growth(self.growth(), before, keys.len() as u64, bytes as u64).await
    }
}

impl OnPostgres for DeleteMany {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<(), StorageError> {
        check_batch(self.0.len())?;
        self.0.iter().try_for_each(|key| check_key(key))?;
        let sql = "SELECT {}.hull_delete($1, $2)";
        scope.host(sql, &[(&scope.opened.key, Type::BYTEA), (&self.0, Type::TEXT_ARRAY)]).await.map(drop)
    }
}

impl OnPostgres for Increment {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<i64, StorageError> {
        check_key(&self.key)?;
        let before = scope.before_growth(self.growth()).await?;
        let sql = "SELECT {}.hull_increment($1, $2, $3)";
        let parameters =
            [(&scope.opened.key as _, Type::BYTEA), (&self.key as _, Type::TEXT), (&self.delta as _, Type::INT8)];
        let row = scope.host_row(sql, &parameters).await?;
        scope.after_growth(self.growth(), before, 1, self.key.len() as u64).await?;
        row.map_or(Ok(0), |row| column(&row, 0))
    }
}

impl OnPostgres for Swap {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<Swapped, StorageError> {
        check_key(&self.key)?;
        check_value(scope, &self.value)?;
        let before = scope.before_growth(self.growth()).await?;
        let sql = "SELECT * FROM {}.hull_swap($1, $2, $3, $4)";
        let row = scope
            .host_row(
                sql,
                &[
                    (&scope.opened.key, Type::BYTEA),
                    (&self.key, Type::TEXT),
                    (&self.expected, Type::BYTEA),
                    (&self.value, Type::BYTEA),
                ],
            )
            .await?;
        scope.after_growth(self.growth(), before, 1, self.value.len() as u64).await?;
        let Some(row) = row else { return Ok(Swapped::Changed(None)) };
        if column(&row, 0)? { Ok(Swapped::Done) } else { Ok(Swapped::Changed(column(&row, 1)?)) }
    }
}

async fn get(scope: &Scope<'_>, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
    let sql = "SELECT {}.hull_get($1, $2)";
    let row = scope.host_row(sql, &[(&scope.opened.key, Type::BYTEA), (&key, Type::TEXT)]).await?;
    row.map_or(Ok(None), |row| column(&row, 0))
}

fn check_value(scope: &Scope<'_>, value: &[u8]) -> Result<(), StorageError> {
    if value.len() > scope.limits.value_bytes_max { Err(scope.value_too_large()) } else { Ok(()) }
}
