//! Taking an app out of a PostgreSQL database: nothing of it is left, nothing of others is touched, and not while another
//! host works with it.

use std::time::Duration;

use hull_invocation::ComponentId;
use hull_storage::{Database, PostgresServer};

use crate::fixture::{as_superuser, execute, migration, number, options, postgres_url, session};

const TIME: Duration = Duration::from_secs(30);

struct Host {
    server: PostgresServer,
    databases: Vec<Database>,
}

impl Host {
    /// With these components open.
    async fn with(url: &str, components: &[(&str, &str)]) -> Self {
        let server = PostgresServer::new(url, 16).expect("a URL");
        let open = |(app, name): &(&str, &str)| Database::on_postgres(&server, options(ComponentId::new(*app, *name)));
        let databases: Vec<Database> = components.iter().map(open).collect();
        for database in &databases {
            database.claim().await.expect("hosts share the data");
            database.migrate(&[migration(1, "CREATE TABLE t (n BIGINT)")]).await.expect("migrate");
            execute(&session(database, None, TIME), "INSERT INTO t VALUES (1)").await.expect("insert");
        }
        Self { server, databases }
    }

    /// It does not serve the app any more; the first `count` of its databases are that.
    async fn leave(&mut self, app: &str, count: usize) {
        for database in self.databases.drain(..count) {
            database.close().await;
        }
        self.server.leave(app).await;
    }
}

fn schemas_and_roles(url: &str, app: &str) -> String {
    let database = url.rsplit_once('/').expect("a URL with a database").1;
    let sql = format!(
        "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE '{app}/%' OR nspname LIKE 'hull/{app}/%'), \
         (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'hull%/{database}/{app}/%'), \
         (SELECT count(*) FROM hull.components WHERE component LIKE '{app}/%')"
    );
    as_superuser(url, &sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_app_is_left_and_it_can_begin_anew() {
    let url = postgres_url();
    let components = [("shop", "orders"), ("shop", "carts"), ("shopping", "orders")];
    let mut host = Host::with(&url, &components).await;
    assert_eq!(schemas_and_roles(&url, "shop"), "4|4|2");
    host.leave("shop", 2).await;
    assert_eq!(host.server.is_used_elsewhere("shop").await, Ok(false));
    let purge = host.server.purge("shop").await.expect("nobody has it");
    drop(purge);
    let still = Host::with(&url, &components[2..]).await;
    assert_eq!(schemas_and_roles(&url, "shop"), "4|4|2", "it was not committed");
    drop(still);
    host.server.purge("shop").await.expect("nobody has it").commit().await.expect("committed");
    assert_eq!(schemas_and_roles(&url, "shop"), "0|0|0");
    assert_eq!(schemas_and_roles(&url, "shopping"), "2|2|1");
    assert_eq!(number(&session(&host.databases[0], None, TIME), "SELECT count(*) FROM t").await, 2);
    host.server.purge("shop").await.expect("again").commit().await.expect("there is nothing to do");
    let anew = Host::with(&url, &components[..1]).await;
    assert_eq!(number(&session(&anew.databases[0], None, TIME), "SELECT count(*) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_another_host_works_with_stays() {
    let url = postgres_url();
    let components = [("shop", "orders"), ("blog", "posts")];
    let (mut one, mut other) = (Host::with(&url, &components).await, Host::with(&url, &components).await);
    for host in [&one, &other] {
        assert_eq!(host.server.is_used_elsewhere("shop").await, Ok(true));
    }
    one.leave("shop", 1).await;
    assert_eq!(one.server.is_used_elsewhere("shop").await, Ok(true));
    assert_eq!(other.server.is_used_elsewhere("shop").await, Ok(false), "the one that has left it");
    assert_eq!(other.server.is_used_elsewhere("blog").await, Ok(true), "the one that has left another");
    let refused = one.server.purge("shop").await.err().expect("the other has it").to_string();
    assert!(refused.contains("another host works with the data of shop/orders"), "{refused}");
    assert_eq!(number(&session(&other.databases[0], None, TIME), "SELECT count(*) FROM t").await, 2);
    other.leave("shop", 1).await;
    one.server.purge("shop").await.expect("nobody has it").commit().await.expect("committed");
    assert_eq!(schemas_and_roles(&url, "shop"), "0|0|0");
}

/// Its presence ends with its connection, and comes back when it looks for what there is to relay.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_connections_were_lost_is_seen_again() {
    let url = postgres_url();
    let components = [("shop", "orders")];
    let (one, other) = (Host::with(&url, &components).await, Host::with(&url, &components).await);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(as_superuser(&url, end).parse::<u32>().expect("a number") > 0);
    crate::fixture::until(async || {
        // The first looks may find that their connection is gone.
        let _ = other.databases[0].outbox().next(1, 0).await;
        one.server.is_used_elsewhere("shop").await == Ok(true)
    })
    .await;
}
