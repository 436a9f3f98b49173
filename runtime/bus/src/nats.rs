//! The bus on NATS JetStream, for those who run several hosts, or have NATS already and want its other clients to
//! take part. Servers from 2.9 on; nothing that came later is needed.
//!
//! What a crash can do: a killed host loses nothing, for the server has what was acknowledged. A killed server
//! neither; but until 2.11 it acknowledges before it syncs, so a power cut may cost the last seconds of a single
//! server. A lost connection costs time: publishes are sent again under the same id, and what was out is delivered
//! again. How Hull's words are JetStream's is in `docs/adr/0010`.

mod durable;
mod failure;
mod housekeeping;
mod leases;
mod link;
mod options;
mod publish;
mod pulls;
mod reading;
mod requests;
mod responder;
mod retention;
mod settle;
mod shares;
mod status;
mod streams;
mod tap;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::stream::{ConsumerErrorKind, Stream};
use async_nats::jetstream::{Context, ContextBuilder, ErrorCode};
use async_trait::async_trait;
use hull_invocation::{Event, Reply};
use hull_manifest::SubjectPattern;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use self::durable::Durable;
use self::failure::{unavailable, unconnected};
use self::leases::Leases;
use self::link::Link;
pub use self::options::NatsOptions;
use self::requests::Requests;
use self::shares::Shares;
use self::streams::Streams;
use self::tap::{Filling, OpenConsumer, Tap, Terms};
use crate::bus::{Bus, Consumer, ConsumerSpec, Published, Responder};
use crate::error::BusError;
use crate::names::consumer_name;
use crate::page::{Page, ReadFrom};
use crate::status::BusStatus;

/// How long the JetStream API may take to answer.
const API_TIME: Duration = Duration::from_secs(5);
/// How long a new host waits for its first connection before it goes on without.
const OPEN_TIME: Duration = Duration::from_secs(5);
/// How long opening something waits for the connection.
const CONNECTED_TIME: Duration = Duration::from_millis(100);
/// How long giving everything back may take at the end.
const CLOSE_TIME: Duration = Duration::from_secs(3);

/// A bus on a NATS server. Dropping it without `shutdown` is like a crash: what it has taken and not answered comes
/// again after its ack-wait.
pub struct NatsBus {
    shared: Arc<Shared>,
}

/// What the parts of the bus share.
struct Shared {
    options: NatsOptions,
    /// For messages: without what is secret.
    address: String,
    client: Client,
    /// A connection for requests that come in. Over one that is shared with what goes out, the client drops what is on
    /// its way to a subscription that ends, and whoever asked would wait in vain.
    ears: Client,
    context: Context,
    link: watch::Receiver<Link>,
    closed: watch::Sender<bool>,
    streams: Streams,
    leases: Arc<Leases>,
    /// By app.
    shares: Mutex<HashMap<String, Shares>>,
    /// Consumers that were opened here, by app and name.
    durables: Mutex<HashMap<(String, String), Arc<Durable>>>,
    requests: Requests,
    /// Held by every task that has to end before the connection may.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

impl NatsBus {
    /// Connect. A server that cannot be reached is no error: the bus says so in its status and goes on trying, so
    /// that hosts and servers may be started in any order. One that refuses the credentials is.
    pub async fn open(options: NatsOptions) -> Result<Self, BusError> {
        let (client, mut link) = link::connect(&options).await?;
        let (ears, _) = link::connect(&options).await?;
        let context = ContextBuilder::new().timeout(API_TIME).build(client.clone());
        let closed = watch::Sender::new(false);
        let requests = Requests::open(&client, options.requests_max, closed.subscribe()).await?;
        let (alive, ended) = mpsc::channel(1);
        if link::up(&mut link, hull_clock::now() + OPEN_TIME).await.is_some() && !client.is_server_compatible(2, 9, 0) {
            let version = client.server_info().version;
            return Err(BusError::Configuration(format!("NATS {version} is too old: Hull needs 2.9 or later")));
        }
        let shared = Arc::new(Shared {
            address: options.address(),
            leases: Arc::new(Leases::new(options.replicas)),
            options,
            client,
            ears,
            context,
            link,
            closed,
            streams: Streams::default(),
            shares: Mutex::default(),
            durables: Mutex::default(),
            requests,
            alive: Mutex::new(Some(alive)),
            ended: tokio::sync::Mutex::new(ended),
        });
        tokio::spawn(housekeeping::keep_leases(
            Arc::downgrade(&shared),
            shared.closed.subscribe(),
            shared.link.clone(),
        ));
        tokio::spawn(housekeeping::keep_house(
            Arc::downgrade(&shared),
            shared.closed.subscribe(),
            shared.options.retain_every,
        ));
        Ok(Self { shared })
    }
}

impl Shared {
    fn check_open(&self) -> Result<(), BusError> {
        if *self.closed.borrow() { Err(BusError::Closed) } else { Ok(()) }
    }

    fn alive(&self) -> Result<mpsc::Sender<()>, BusError> {
        self.alive.lock().clone().ok_or(BusError::Closed)
    }

    async fn stream(&self, app: &str) -> Result<Stream, BusError> {
        self.streams.of(&self.context, &self.options, app).await
    }

    /// Wait a moment for the connection. Whoever opens something tries again, and a host that starts has much to open.
    async fn connected(&self, app: &str) -> Result<(), BusError> {
        let until = hull_clock::now() + CONNECTED_TIME;
        let up = link::up(&mut self.link.clone(), until).await;
        up.map(|_| ()).ok_or_else(|| unconnected(app, &self.address))
    }

    async fn open_consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        self.check_open()?;
        let alive = self.alive()?;
        self.connected(&spec.app).await?;
        self.leases.check(&self.context, &spec.app).await?;
        let stream = self.stream(&spec.app).await?;
        let (durable, is_first) = {
            let key = (spec.app.clone(), consumer_name(&spec.component, spec.pattern.as_str()));
            let mut durables = self.durables.lock();
            let is_first = !durables.contains_key(&key);
            (Arc::clone(durables.entry(key).or_insert_with(|| Arc::new(Durable::new(&spec)))), is_first)
        };
        let prepared = async {
            if is_first && self.leases.is_claimed(&spec.app) {
                durable::revive(&stream, &durable).await?;
            }
            durable::ensure(&stream, &durable, &spec).await
        };
        if let Err(error) = prepared.await {
            // The stream may have been deleted, which shows here first.
            self.streams.forget(&spec.app);
            return Err(error);
        }
        let inbox = self.client.new_inbox();
        let subscriber = self.client.subscribe(inbox.clone()).await.map_err(|error| unavailable(&spec.app, error))?;
        let terms = Terms {
            client: self.client.clone(),
            context: self.context.clone(),
            leases: Arc::clone(&self.leases),
            durable,
            ack_wait: durable::ack_wait_of(&spec),
            max_in_flight: if spec.ordered { 1 } else { spec.max_in_flight.max(1) },
            closed: self.closed.subscribe(),
        };
        let tap = Arc::new(Tap::default());
        let filling = Filling {
            terms: terms.clone(),
            tap: Arc::clone(&tap),
            subscriber,
            inbox: inbox.into(),
            link: self.link.clone(),
            _alive: alive,
        };
        tokio::spawn(filling.run());
        Ok(Box::new(OpenConsumer::new(terms, tap)))
    }

    async fn claim(&self, app: &str, owner: &str) -> Result<(), BusError> {
        self.check_open()?;
        streams::check_app(app)?;
        if owner.is_empty() {
            return Err(BusError::Invalid("a host without a name cannot have an app for itself".to_owned()));
        }
        let is_new = self.leases.claim(app, owner);
        if !self.link.borrow().is_up {
            return Ok(());
        }
        match self.leases.check(&self.context, app).await {
            Err(error @ BusError::Owned { .. }) => {
                // An earlier version may serve still: it stays claimed, and so stays idle.
                if is_new {
                    self.leases.forget(app);
                }
                Err(error)
            }
            // It is taken before anything else is done for the app.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn remove(&self, app: &str, component: &str, pattern: &SubjectPattern) -> Result<(), BusError> {
        self.check_open()?;
        self.connected(app).await?;
        let stream = self.stream(app).await?;
        let name = consumer_name(component, pattern.as_str());
        let deleted = stream.delete_consumer(&name).await;
        if let Some(durable) = self.durables.lock().remove(&(app.to_owned(), name)) {
            durable.remove();
        }
        match deleted {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                ConsumerErrorKind::JetStream(refusal) if refusal.error_code() == ErrorCode::CONSUMER_NOT_FOUND => {
                    Ok(())
                }
                _ => Err(unavailable(app, format!("removing the consumer of {component}: {error}"))),
            },
        }
    }

    async fn remove_stream(&self, app: &str) -> Result<(), BusError> {
        self.check_open()?;
        self.connected(app).await?;
        self.leases.check(&self.context, app).await?;
        streams::delete(&self.context, app).await?;
        self.streams.forget(app);
        self.shares.lock().remove(app);
        let gone: Vec<_> = self.durables.lock().extract_if(|(its_app, _), _| its_app == app).collect();
        for (_, durable) in gone {
            durable.remove();
        }
        Ok(())
    }

    async fn shutdown(&self) {
        self.closed.send_replace(true);
        self.alive.lock().take();
        let until = hull_clock::now() + CLOSE_TIME;
        let ending = async {
            // Every open consumer has given back what nobody has fetched,
            while self.ended.lock().await.recv().await.is_some() {}
            // and now everything that was fetched and not answered follows.
            let durables: Vec<_> = self.durables.lock().values().cloned().collect();
            for durable in durables {
                durable.give_back(&self.client, hull_clock::now()).await;
            }
            self.leases.release_all(&self.context).await;
            // An answer of the server says that it has read all that was sent before.
            if self.link.borrow().is_up {
                let _ = self.context.query_account().await;
            }
        };
        if tokio::time::timeout_at(until.into(), ending).await.is_err() {
            warn!("what was taken from NATS could not be given back in time; it comes again after its ack-wait");
        }
        // It fails if the client has ended before.
        let _ = self.ears.drain().await;
        let _ = self.client.drain().await;
    }
}

#[async_trait]
impl Bus for NatsBus {
    async fn publish(&self, app: &str, event: &Event) -> Result<Published, BusError> {
        self.shared.publish(app, event).await
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        self.shared.open_consumer(spec).await
    }

    async fn remove_consumer(&self, app: &str, component: &str, pattern: &SubjectPattern) -> Result<(), BusError> {
        self.shared.remove(app, component, pattern).await
    }

    async fn read(&self, app: &str, pattern: &SubjectPattern, from: ReadFrom, max: usize) -> Result<Page, BusError> {
        self.shared.read(app, pattern, from, max).await
    }

    async fn request(&self, app: &str, event: &Event, timeout: Duration) -> Result<Reply, BusError> {
        self.shared.ask(app, event, timeout).await
    }

    async fn responder(
        &self,
        app: &str,
        component: &str,
        pattern: &SubjectPattern,
    ) -> Result<Box<dyn Responder>, BusError> {
        self.shared.respond(app, component, pattern).await
    }

    async fn claim(&self, app: &str, owner: &str) -> Result<(), BusError> {
        self.shared.claim(app, owner).await
    }

    async fn release(&self, app: &str) {
        self.shared.leases.release(&self.shared.context, app).await;
    }

    async fn remove_stream(&self, app: &str) -> Result<(), BusError> {
        self.shared.remove_stream(app).await
    }

    async fn status(&self) -> BusStatus {
        self.shared.status().await
    }

    async fn shutdown(&self) {
        self.shared.shutdown().await;
    }
}

impl Drop for NatsBus {
    fn drop(&mut self) {
        self.shared.closed.send_replace(true);
    }
}
