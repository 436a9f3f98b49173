//! Database servers that are away when an app is brought up. Whoever starts hosts and servers together, or restarts both,
//! expects them to find each other in any order: a server that does not answer is tried again for as long as the operator
//! grants, and one that refuses is not.

use std::time::{Duration, Instant};

use hull_manifest::App;
use hull_storage::StorageError;

use crate::node::stores::Stores;

/// How long to wait after a failure: at first, and at most.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_LONGEST: Duration = Duration::from_secs(1);

/// The servers of one app, from one moment on.
pub(crate) struct Reaching<'a> {
    stores: &'a Stores,
    app: &'a App,
    began: Instant,
}

impl<'a> Reaching<'a> {
    pub(crate) fn new(stores: &'a Stores, app: &'a App) -> Self {
        Self { stores, app, began: hull_clock::now() }
    }

    /// Do something with a component's database that may be done again.
    pub(crate) async fn reach<T, F>(&self, component: &str, work: impl Fn() -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        let within = self.stores.connect_within(self.app, component);
        let until = self.began + within;
        let mut delay = AGAIN_FIRST;
        loop {
            let why = match work().await {
                Err(StorageError::Unreachable(why)) => why,
                done => return done,
            };
            let again = hull_clock::now() + delay;
            if again > until {
                let mend = "`connect-within` in [storage.NAME] of hull.toml";
                return Err(StorageError::Unreachable(format!("{why}; it was tried for {within:?} ({mend})")));
            }
            if delay == AGAIN_FIRST {
                tracing::warn!(app = %self.app.name, component, why, ?within, "a database server is away; it is tried again");
            }
            tokio::time::sleep_until(again.into()).await;
            delay = (delay * 2).min(AGAIN_LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hull_manifest::{App, Host, Reading};
    use hull_storage::StorageError;

    use super::Reaching;
    use crate::node::stores::Stores;

    const APP: &str = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/\"\n\
                       component = \"a\"\n[component.a]\nsource = \"a.wasm\"\n";

    fn stores(within: &str) -> Stores {
        let text = format!(
            "[storage.default]\nbackend = \"postgres\"\nurl = \"postgres://hull@127.0.0.1:1/hull\"\n\
             connect-within = \"{within}\"\n"
        );
        Stores::of(&Host::parse(&text, "hull.toml").expect("a configuration")).expect("stores")
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_tried_again_and_one_that_refuses_is_not() {
        let app = App::parse(APP, &Reading::alone("spin.toml")).expect("a manifest");
        let stores = stores("1h");
        let reaching = Reaching::new(&stores, &app);
        let tries = Cell::new(0);
        let after = |away: u32, then: Result<u32, StorageError>| {
            tries.set(0);
            let tries = &tries;
            move || {
                tries.set(tries.get() + 1);
                let is_away = tries.get() <= away;
                std::future::ready(if is_away { Err(StorageError::Unreachable("away".into())) } else { then.clone() })
            }
        };
        assert_eq!(reaching.reach("a", after(3, Ok(7))).await, Ok(7));
        assert_eq!(tries.get(), 4);
        let refused = StorageError::Other("a wrong password".to_owned());
        assert_eq!(reaching.reach("a", after(2, Err(refused.clone()))).await, Err(refused));
        assert_eq!(tries.get(), 3);
    }

    #[tokio::test]
    async fn it_is_given_up_in_the_end_with_the_line_that_would_mend_it() {
        let app = App::parse(APP, &Reading::alone("spin.toml")).expect("a manifest");
        for (within, least) in [("1ms", 1), ("2s", 2)] {
            let stores = stores(within);
            let tries = Cell::new(0);
            let away = || {
                tries.set(tries.get() + 1);
                std::future::ready(Err::<(), _>(StorageError::Unreachable("away".to_owned())))
            };
            let error = Reaching::new(&stores, &app).reach("a", away).await.expect_err("away").to_string();
            assert!(error.contains("connect-within") && error.starts_with("away"), "{error}");
            assert!(tries.get() >= least, "{within}: {}", tries.get());
        }
    }
}
