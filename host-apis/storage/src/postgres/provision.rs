//! What a component needs in the database before anybody works with it: a role that its guests' statements run as and
//! that owns a schema, and another schema with the host's tables. Made once, by the first host that comes.

use std::fmt::Write as _;
use std::sync::Arc;

use hull_invocation::ComponentId;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::failure;
use super::link::Link;
use super::names::{Names, literal, quoted};
use super::server::{Login, Server};
use crate::error::StorageError;

/// The version of the host's tables and functions.
const FORMAT: i32 = 1;
/// One host at a time prepares; the number says "Hull".
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(1215655020)";
/// The list of components, which only the operator's role can read.
const BASE: &str = "
    CREATE SCHEMA IF NOT EXISTS hull;
    REVOKE ALL ON SCHEMA hull FROM PUBLIC;
    CREATE TABLE IF NOT EXISTS hull.components (
        component text PRIMARY KEY,
        guest text NOT NULL,
        password text NOT NULL,
        host_key bytea NOT NULL,
        format integer NOT NULL
    );";
/// What every guest's connection is set to, whatever the server's own settings are; a reset goes back to these.
const SETTINGS: &str = "-c client_connection_check_interval=1s -c idle_in_transaction_session_timeout=60s \
     -c statement_timeout=120s -c jit=off -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 \
     -c bytea_output=hex -c default_transaction_isolation=read\\ committed -c log_parameter_max_length_on_error=0";

/// What is known of a component that is ready.
pub(super) struct Opened {
    pub(super) names: Names,
    /// The host's schema as it stands in a statement.
    pub(super) host_schema: String,
    /// Opens the host's functions.
    pub(super) key: Vec<u8>,
    pub(super) login: Login,
}

/// Make what is missing, or find what is there.
pub(super) async fn open(server: &Arc<Server>, component: &ComponentId) -> Result<Opened, StorageError> {
    let lease = server.connection(&server.host_login(), None).await?;
    let link = lease.link()?;
    let names = Names::of(component, server.database());
    let work = Preparing { link, server, component, names: &names };
    let secrets = match work.all().await {
        Ok(secrets) => secrets,
        Err(error) => {
            link.send("ROLLBACK");
            return Err(explained(error, component));
        }
    };
    let options = format!("{SETTINGS} -c search_path={}", escaped(&quoted(&names.schema)));
    let application: String = format!("hull {component}").chars().take(60).collect();
    let login = server.guest_login(&names.guest, &secrets.password, &options, &application);
    let host_schema = quoted(&names.host_schema);
    Ok(Opened { names, host_schema, key: secrets.key, login })
}

fn explained(error: StorageError, component: &ComponentId) -> StorageError {
    match error {
        StorageError::Denied(text) => StorageError::Other(format!(
            "no schema can be made for {component}: {text}. The role in the URL needs CREATEROLE and the right to \
             create schemas: run, as a superuser, ALTER ROLE name CREATEROLE and ALTER DATABASE name OWNER TO name"
        )),
        other => other,
    }
}

struct Secrets {
    password: String,
    key: Vec<u8>,
}

struct Preparing<'a> {
    link: &'a Link,
    server: &'a Server,
    component: &'a ComponentId,
    names: &'a Names,
}

impl Preparing<'_> {
    fn client(&self) -> &Client {
        self.link.client()
    }

    async fn run(&self, sql: &str) -> Result<(), StorageError> {
        failure::outcome(self.client().batch_execute(sql).await, self.link).await
    }

    async fn all(&self) -> Result<Secrets, StorageError> {
        self.run(&format!("BEGIN; {LOCK};")).await?;
        self.run(BASE).await?;
        let secrets = match self.known().await? {
            Some((format, secrets)) if format == FORMAT => secrets,
            Some((format, _)) => {
                return Err(StorageError::Other(format!(
                    "the tables of {} in PostgreSQL have format {format}, this version knows {FORMAT}: use the version \
                     that made them",
                    self.component
                )));
            }
            None => self.make().await?,
        };
        self.run("COMMIT").await?;
        Ok(secrets)
    }

    async fn known(&self) -> Result<Option<(i32, Secrets)>, StorageError> {
        let sql = "SELECT format, password, host_key FROM hull.components WHERE component = $1";
        let component = self.component.to_string();
        let found = self.client().query_typed_opt(sql, &[(&component, Type::TEXT)]).await;
        let Some(row) = failure::outcome(found, self.link).await? else { return Ok(None) };
        let read = || -> Result<_, tokio_postgres::Error> {
            Ok((row.try_get(0)?, Secrets { password: row.try_get(1)?, key: row.try_get(2)? }))
        };
        read().map(Some).map_err(|error| StorageError::Other(error.to_string()))
    }

    async fn make(&self) -> Result<Secrets, StorageError> {
        let [password, key] = [random(), random()];
        let secrets = Secrets { password: hexadecimal(&password), key };
        let Names { guest, keeper, schema, host_schema } = self.names;
        let (guest_name, keeper_name, database) = (quoted(guest), quoted(keeper), quoted(self.server.database()));
        for (role, name, attributes) in [
            (guest, &guest_name, format!("LOGIN NOINHERIT PASSWORD {}", literal(&secrets.password))),
            (keeper, &keeper_name, "NOLOGIN NOINHERIT".to_owned()),
        ] {
            let made = if self.is_role(role).await? { "ALTER" } else { "CREATE" };
            self.run(&format!("{made} ROLE {name} {attributes}; GRANT {name} TO CURRENT_USER")).await?;
        }
        // Where these rights cannot be taken the server only warns; what matters is looked at below.
        self.run(&format!(
            "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             CREATE SCHEMA {} AUTHORIZATION {guest_name}; CREATE SCHEMA {} AUTHORIZATION {keeper_name};",
            quoted(schema),
            quoted(host_schema)
        ))
        .await?;
        self.check_rights(guest).await?;
        self.run(&format!("SET LOCAL ROLE {keeper_name};\n{}\nRESET ROLE;", self.tables(&secrets))).await?;
        let sql = "INSERT INTO hull.components (component, guest, password, host_key, format) \
                   VALUES ($1, $2, $3, $4, $5)";
        let component = self.component.to_string();
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&component, Type::TEXT),
            (guest, Type::TEXT),
            (&secrets.password, Type::TEXT),
            (&secrets.key, Type::BYTEA),
            (&FORMAT, Type::INT4),
        ];
        failure::outcome(self.client().execute_typed(sql, &parameters).await, self.link).await?;
        Ok(secrets)
    }

    fn tables(&self, secrets: &Secrets) -> String {
        let digest = hexadecimal(&Sha256::digest(&secrets.key));
        include_str!("schema.sql")
            .replace("{{schema}}", &quoted(&self.names.host_schema))
            .replace("{{guest}}", &quoted(&self.names.guest))
            .replace("{{schema_text}}", &literal(&self.names.host_schema))
            .replace("{{guest_schema_text}}", &literal(&self.names.schema))
            .replace("{{digest}}", &digest)
    }

    async fn is_role(&self, role: &str) -> Result<bool, StorageError> {
        self.is_true("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", role).await
    }

    /// What a guest must not have, and has where the operator's role does not own the database.
    async fn check_rights(&self, guest: &str) -> Result<(), StorageError> {
        let database = self.server.database();
        for (sql, mend) in [
            (
                "SELECT has_database_privilege($1, current_database(), 'TEMPORARY')",
                format!("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", quoted(database)),
            ),
            (
                "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'public' \
                 AND has_schema_privilege($1, oid, 'CREATE'))",
                "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
            ),
        ] {
            if self.is_true(sql, guest).await? {
                return Err(StorageError::Other(format!(
                    "every role may do more in the database {database} than a component may: run, as its owner, {mend}"
                )));
            }
        }
        Ok(())
    }

    async fn is_true(&self, sql: &str, parameter: &str) -> Result<bool, StorageError> {
        let found = self.client().query_typed_one(sql, &[(&parameter, Type::TEXT)]).await;
        Ok(failure::outcome(found, self.link).await?.try_get(0).unwrap_or(false))
    }
}

fn random() -> Vec<u8> {
    [hull_clock::random_bytes(), hull_clock::random_bytes()].concat()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A value as it stands in the options of a connection: a backslash before what would end it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(' ', "\\ ")
}
