//! The embedded bus: a log of segment files for each app. For those who run one host and want no server beside it;
//! an acknowledged publish is on disk.
//!
//! What a crash can do: a killed process loses nothing that was acknowledged; a power cut neither, with `sync`. Both
//! may cost redeliveries, since consumers' places are written a little behind. After a failed sync the batch it was
//! for is refused (its publishers cannot know whether it was stored, and try again), the file is cut back to what was
//! promised and read back, and a new file is begun; until that succeeds the stream takes nothing. Retention counts
//! every consumer that was ever made until it is removed, open or not.

mod codec;
mod consumer;
mod cursor;
mod dedupe;
mod disk;
mod housekeeper;
mod index;
mod journal;
mod options;
mod ranges;
mod reading;
mod recent;
mod record;
mod recovery;
mod removal;
mod requests;
mod segment;
mod shares;
mod stream;
mod upkeep;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hull_invocation::{Event, Reply};
use hull_manifest::{Start, SubjectPattern};
use parking_lot::Mutex;

use self::consumer::{Durable, OpenConsumer};
use self::disk::{Disk, RealDisk};
use self::housekeeper::Signal;
pub use self::options::EmbeddedOptions;
use self::ranges::Ranges;
use self::requests::Requests;
use self::stream::Stream;
use crate::bus::{Bus, Consumer, ConsumerSpec, Published, Responder};
use crate::error::BusError;
use crate::names::{consumer_name, escape};
use crate::page::{Page, ReadFrom};
use crate::status::{BusStatus, StreamStatus};

/// The file in a stream's directory that says whose it is.
const APP_FILE: &str = "app";
/// The longest name of an app or component, in bytes.
const NAME_LENGTH_MAX: usize = 128;

/// A bus in files. Dropping it without `shutdown` is like a crash: nothing acknowledged is lost.
pub struct EmbeddedBus {
    options: Arc<EmbeddedOptions>,
    disk: Arc<dyn Disk>,
    streams: Arc<Mutex<HashMap<String, Arc<Stream>>>>,
    /// Streams whose files were found damaged: they take nothing and are left as they are.
    broken: Mutex<BTreeMap<String, BusError>>,
    /// Held while a stream or consumer is made, so that it is made once. The thread that makes it holds it, for
    /// whoever waits may go away meanwhile.
    making: Arc<tokio::sync::Mutex<()>>,
    requests: Requests,
    signal: Arc<Signal>,
    housekeeper: Mutex<Option<std::thread::JoinHandle<()>>>,
    closed: AtomicBool,
}

impl EmbeddedBus {
    /// Open the bus and every stream in its directory, and mend what a crash has left. A stream that is damaged does
    /// not keep the others from working: it is named in the log and in the status, and its uses fail.
    pub async fn open(options: EmbeddedOptions) -> Result<Self, BusError> {
        Self::open_on(options, Arc::new(RealDisk)).await
    }

    async fn open_on(options: EmbeddedOptions, disk: Arc<dyn Disk>) -> Result<Self, BusError> {
        let options = Arc::new(options);
        let (for_opening, its_disk) = (Arc::clone(&options), Arc::clone(&disk));
        let opening = hull_threads::blocking(move || open_streams(&for_opening, &its_disk));
        let (streams, broken) = opening.await.map_err(|_| unavailable("", "opening it was interrupted"))??;
        let streams = Arc::new(Mutex::new(streams));
        let signal = Arc::new(Signal::default());
        let (write, sync) = (options.place_write, options.place_sync);
        let (its_signal, its_streams) = (Arc::clone(&signal), Arc::clone(&streams));
        let housekeeper = std::thread::Builder::new()
            .name("bus-housekeeper".to_owned())
            .spawn(move || {
                housekeeper::run(&its_signal, write, sync, || its_streams.lock().values().cloned().collect());
            })
            .map_err(|error| unavailable("", &format!("starting its housekeeper: {error}")))?;
        Ok(Self {
            requests: Requests::new(options.requests_max),
            options,
            disk,
            streams,
            broken: Mutex::new(broken),
            making: Arc::default(),
            signal,
            housekeeper: Mutex::new(Some(housekeeper)),
            closed: AtomicBool::new(false),
        })
    }

    async fn stream(&self, app: &str) -> Result<Arc<Stream>, BusError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(BusError::Closed);
        }
        if let Some(stream) = self.streams.lock().get(app) {
            return Ok(Arc::clone(stream));
        }
        check_name(app)?;
        if let Some(error) = self.broken.lock().get(app) {
            return Err(error.clone());
        }
        let making = Arc::clone(&self.making).lock_owned().await;
        if self.closed.load(Ordering::Acquire) {
            return Err(BusError::Closed);
        }
        if let Some(stream) = self.streams.lock().get(app) {
            return Ok(Arc::clone(stream));
        }
        let (options, disk, name) = (Arc::clone(&self.options), Arc::clone(&self.disk), app.to_owned());
        let streams = Arc::clone(&self.streams);
        let opening = hull_threads::blocking(move || {
            let _making = making;
            let directory = options.directory.join(escape(&name));
            disk::create_directory(&directory)
                .and_then(|()| disk::create_file(&directory.join(APP_FILE), name.as_bytes()))
                .map_err(|error| unavailable(&name, &format!("making {}: {error}", directory.display())))?;
            let stream = Arc::new(Stream::open(&name, directory, options, disk)?);
            streams.lock().insert(name, Arc::clone(&stream));
            Ok(stream)
        });
        opening.await.map_err(|_| unavailable(app, "opening it was interrupted"))?
    }

    async fn durable(&self, stream: &Arc<Stream>, spec: &ConsumerSpec) -> Result<Arc<Durable>, BusError> {
        let name = consumer_name(&spec.component, spec.pattern.as_str());
        let making = Arc::clone(&self.making).lock_owned().await;
        if let Some(durable) = stream.shared.consumers.read().get(&name) {
            return Ok(Arc::clone(durable));
        }
        let (shared, spec) = (Arc::clone(&stream.shared), spec.clone());
        let creating = hull_threads::blocking(move || {
            let _making = making;
            let settled = match spec.start {
                Start::All => Ranges::default(),
                Start::New => Ranges::up_to(shared.index.read().last()),
            };
            let durable = Arc::new(Durable::create(&shared, &spec, settled)?);
            shared.consumers.write().insert(name, Arc::clone(&durable));
            Ok(durable)
        });
        creating.await.map_err(|_| stream.shared.unavailable("making a consumer was interrupted"))?
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, app: &str, event: &Event) -> Result<Published, BusError> {
        let results = self.publish_all(app, std::slice::from_ref(event)).await;
        results.into_iter().next().unwrap_or(Err(BusError::Closed))
    }

    async fn publish_all(&self, app: &str, events: &[Event]) -> Vec<Result<Published, BusError>> {
        match self.stream(app).await {
            Ok(stream) => stream.publish(events).await,
            Err(error) => vec![Err(error)],
        }
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        check_name(&spec.component)?;
        let stream = self.stream(&spec.app).await?;
        let durable = self.durable(&stream, &spec).await?;
        durable.configure(&spec);
        Ok(Box::new(OpenConsumer::new(Arc::clone(&stream.shared), durable, Arc::clone(&self.signal))))
    }

    async fn remove_consumer(&self, app: &str, component: &str, pattern: &SubjectPattern) -> Result<(), BusError> {
        let stream = self.stream(app).await?;
        let making = Arc::clone(&self.making).lock_owned().await;
        let removed = stream.shared.consumers.write().remove(&consumer_name(component, pattern.as_str()));
        let Some(durable) = removed else { return Ok(()) };
        let removing = hull_threads::blocking(move || {
            let _making = making;
            durable.remove()
        });
        match removing.await {
            Ok(Ok(())) => {
                stream.ask_to_retain();
                Ok(())
            }
            Ok(Err(error)) => Err(stream.shared.unavailable(&format!("removing a consumer's place: {error}"))),
            Err(_) => Err(stream.shared.unavailable("removing a consumer was interrupted")),
        }
    }

    async fn read(&self, app: &str, pattern: &SubjectPattern, from: ReadFrom, max: usize) -> Result<Page, BusError> {
        self.stream(app).await?.shared.read(pattern, from, max).await
    }

    async fn request(&self, app: &str, event: &Event, timeout: Duration) -> Result<Reply, BusError> {
        self.requests.ask(app, event, timeout).await
    }

    async fn responder(
        &self,
        app: &str,
        component: &str,
        pattern: &SubjectPattern,
    ) -> Result<Box<dyn Responder>, BusError> {
        self.requests.respond(app, component, pattern)
    }

    async fn remove_stream(&self, app: &str) -> Result<(), BusError> {
        self.remove(app).await
    }

    async fn status(&self) -> BusStatus {
        let mut streams: Vec<_> = self.streams.lock().values().cloned().collect();
        streams.sort_by(|one, other| one.shared.app.cmp(&other.shared.app));
        let closed = self.closed.load(Ordering::Acquire);
        let mut status = BusStatus { problem: closed.then(|| BusError::Closed.to_string()), ..BusStatus::default() };
        status.streams.extend(self.broken.lock().iter().map(|(app, error)| StreamStatus {
            app: app.clone(),
            events: 0,
            bytes: 0,
            bytes_max: self.options.bytes_max,
            last_sequence: 0,
            problem: Some(error.to_string()),
        }));
        for stream in streams {
            let shared = &stream.shared;
            let problem = shared.problem.lock().clone();
            {
                let index = shared.index.read();
                status.streams.push(StreamStatus {
                    app: shared.app.clone(),
                    events: index.events(),
                    bytes: index.bytes(),
                    bytes_max: self.options.bytes_max,
                    last_sequence: index.last(),
                    problem,
                });
            }
            let consumers: Vec<_> = shared.consumers.read().values().cloned().collect();
            for durable in consumers {
                status.consumers.push(durable.status(shared).await);
            }
        }
        status
    }

    async fn shutdown(&self) {
        self.closed.store(true, Ordering::Release);
        self.requests.close();
        let _making = self.making.lock().await;
        let streams: Vec<_> = self.streams.lock().values().cloned().collect();
        for stream in &streams {
            stream.close();
        }
        self.signal.stop();
        let housekeeper = self.housekeeper.lock().take();
        let stopping = hull_threads::blocking(move || {
            for stream in &streams {
                stream.join();
            }
            housekeeper.is_none_or(|thread| thread.join().is_ok())
        });
        if !matches!(stopping.await, Ok(true)) {
            tracing::error!("the bus's housekeeper panicked: consumers' places may be a little behind");
        }
    }
}

impl Drop for EmbeddedBus {
    fn drop(&mut self) {
        self.signal.stop();
        for stream in self.streams.lock().values() {
            stream.close();
        }
    }
}

/// Those that work, and those that do not.
type Opened = (HashMap<String, Arc<Stream>>, BTreeMap<String, BusError>);

fn open_streams(options: &Arc<EmbeddedOptions>, disk: &Arc<dyn Disk>) -> Result<Opened, BusError> {
    let failed = |error: std::io::Error| unavailable("", &format!("{}: {error}", options.directory.display()));
    disk::create_directory(&options.directory).map_err(failed)?;
    let (mut streams, mut broken) = (HashMap::new(), BTreeMap::new());
    for directory in recovery::list_streams(&options.directory).map_err(failed)? {
        let app = match read_app(&directory) {
            Ok(app) => app,
            Err(error) => {
                // It is written anew when the app is used, and then the stream is opened.
                tracing::error!(%error, "a stream of the bus does not say whose it is");
                continue;
            }
        };
        match Stream::open(&app, directory, Arc::clone(options), Arc::clone(disk)) {
            Ok(stream) => drop(streams.insert(app, Arc::new(stream))),
            Err(error) => {
                tracing::error!(app, %error, "the bus works without the stream of this app");
                broken.insert(app, error);
            }
        }
    }
    Ok((streams, broken))
}

fn read_app(directory: &std::path::Path) -> Result<String, BusError> {
    let file: PathBuf = directory.join(APP_FILE);
    let unread = |error: std::io::Error| format!("it cannot be read: {error}");
    std::fs::read_to_string(&file).map_err(|error| BusError::Corrupt { file, offset: 0, reason: unread(error) })
}

fn check_name(name: &str) -> Result<(), BusError> {
    if name.is_empty() || name.len() > NAME_LENGTH_MAX {
        return Err(BusError::Invalid(format!("{name:?} is not a name: it has 1 to {NAME_LENGTH_MAX} bytes")));
    }
    Ok(())
}

fn unavailable(app: &str, reason: &str) -> BusError {
    BusError::Unavailable { app: app.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
#[path = "embedded/share_tests.rs"]
mod share_tests;

#[cfg(test)]
#[path = "embedded/opening_tests.rs"]
mod opening_tests;

#[cfg(test)]
#[path = "embedded/fault_tests.rs"]
mod fault_tests;
