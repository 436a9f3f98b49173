//! One stream for each app: made where it does not exist, brought up to date where it does.
//!
//! Limits retention without an age, new messages refused when it is full: JetStream's own retention would drop events
//! that a consumer has yet to handle, or those of a component that is not deployed yet. What may go, `retention`
//! drops.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use parking_lot::Mutex;
use tracing::{info, warn};

use super::failure::unavailable;
use super::options::NatsOptions;
use crate::error::BusError;
use crate::names::{escape, stream_subject};

/// The longest name of an app or component, in bytes.
const NAME_LENGTH_MAX: usize = 128;
/// The least that JetStream takes.
const DUPLICATE_WINDOW_MIN: Duration = Duration::from_millis(100);
/// Another stream took the name meanwhile: look again so often.
const RACES_MAX: usize = 3;

/// The streams of the apps that were used.
#[derive(Default)]
pub(super) struct Streams {
    known: Mutex<HashMap<String, Stream>>,
    /// Held while a stream is looked up or made, so that it is done once.
    making: tokio::sync::Mutex<()>,
}

impl Streams {
    /// An app's stream, made if need be.
    pub(super) async fn of(&self, context: &Context, options: &NatsOptions, app: &str) -> Result<Stream, BusError> {
        if let Some(stream) = self.known.lock().get(app) {
            return Ok(stream.clone());
        }
        check_app(app)?;
        let _making = self.making.lock().await;
        if let Some(stream) = self.known.lock().get(app) {
            return Ok(stream.clone());
        }
        let stream = open(context, options, app).await?;
        self.known.lock().insert(app.to_owned(), stream.clone());
        Ok(stream)
    }

    /// Look it up again when it is next used: somebody may have deleted it.
    pub(super) fn forget(&self, app: &str) {
        self.known.lock().remove(app);
    }

    /// Those in use, by app.
    pub(super) fn all(&self) -> Vec<(String, Stream)> {
        let mut all: Vec<_> = self.known.lock().iter().map(|(app, stream)| (app.clone(), stream.clone())).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }
}

/// What a stream is called on the server.
pub(super) fn stream_name(app: &str) -> String {
    format!("hull-{}", escape(app))
}

pub(super) fn check_app(app: &str) -> Result<(), BusError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if app.is_empty() || app.len() > NAME_LENGTH_MAX || !app.bytes().all(fits) {
        let wanted = format!("1 to {NAME_LENGTH_MAX} letters, digits, - and _");
        return Err(BusError::Invalid(format!("{app:?} is not a name of an app: it has {wanted}")));
    }
    Ok(())
}

/// What Hull decides of a stream's configuration; the rest is left as it is.
fn decide(config: &mut Config, options: &NatsOptions, app: &str) {
    config.subjects = vec![stream_subject(app, ">")];
    config.discard = DiscardPolicy::New;
    config.max_age = Duration::ZERO;
    config.duplicate_window = options.duplicate_window.max(DUPLICATE_WINDOW_MIN);
    config.num_replicas = options.replicas;
}

async fn open(context: &Context, options: &NatsOptions, app: &str) -> Result<Stream, BusError> {
    let name = stream_name(app);
    for _ in 0..RACES_MAX {
        let stream = match context.get_stream(&name).await {
            Ok(stream) => stream,
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    match create(context, options, app).await? {
                        Some(stream) => return Ok(stream),
                        None => continue,
                    }
                }
                _ => return Err(unavailable(app, format!("looking up the stream {name}: {error}"))),
            },
        };
        let found = &stream.cached_info().config;
        if found.retention != RetentionPolicy::Limits {
            return Err(BusError::Configuration(format!(
                "the stream {name} was made by somebody else, and its retention would lose events: delete it"
            )));
        }
        let mut wanted = found.clone();
        decide(&mut wanted, options, app);
        if wanted == *found {
            return Ok(stream);
        }
        context.update_stream(&wanted).await.map_err(|error| refused(app, &error.kind()))?;
        info!(app, stream = name, "the stream was brought up to date");
        return Ok(stream);
    }
    Err(unavailable(app, format!("the stream {name} comes and goes")))
}

/// None if somebody else has made it meanwhile.
async fn create(context: &Context, options: &NatsOptions, app: &str) -> Result<Option<Stream>, BusError> {
    let name = stream_name(app);
    let mut config = Config {
        name: name.clone(),
        description: Some(format!("the events of {app}, kept by hull")),
        max_bytes: i64::try_from(options.bytes_max).unwrap_or(i64::MAX),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        ..Config::default()
    };
    decide(&mut config, options, app);
    let kind = match context.create_stream(config.clone()).await {
        Ok(stream) => return Ok(Some(stream)),
        Err(error) => error.kind(),
    };
    match &kind {
        CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(None),
        CreateStreamErrorKind::JetStream(error)
            if matches!(
                error.error_code(),
                ErrorCode::STORAGE_RESOURCES_EXCEEDED | ErrorCode::INSUFFICIENT_RESOURCES
            ) =>
        {
            // The bound is set aside when the stream is made. A smaller server bounds the stream by itself.
            warn!(app, bytes = options.bytes_max, "the server has less room than a stream may take; its bound counts");
            config.max_bytes = -1;
            let made = context.create_stream(config).await;
            made.map(Some).map_err(|error| refused(app, &error.kind()))
        }
        _ => Err(refused(app, &kind)),
    }
}

/// Delete an app's stream, if there is one.
pub(super) async fn delete(context: &Context, app: &str) -> Result<(), BusError> {
    check_app(app)?;
    let name = stream_name(app);
    match context.delete_stream(&name).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(refusal) if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(()),
            _ => Err(unavailable(app, format!("deleting the stream {name}: {error}"))),
        },
    }
}

fn refused(app: &str, kind: &CreateStreamErrorKind) -> BusError {
    match kind {
        CreateStreamErrorKind::JetStream(error) => match error.error_code() {
            ErrorCode::STREAM_SUBJECT_OVERLAP => BusError::Configuration(format!(
                "another stream on the server takes {}: delete that stream, or give it other subjects",
                stream_subject(app, ">")
            )),
            ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED | ErrorCode::CLUSTER_NO_PEERS => BusError::Configuration(format!(
                "the servers cannot hold the stream of {app} so often: lower replicas in hull.toml's [bus] ({error})"
            )),
            _ => unavailable(app, format!("making its stream: {error}")),
        },
        CreateStreamErrorKind::JetStreamUnavailable => {
            unavailable(app, "JetStream does not answer: is it on (`nats-server -js`), and for this account?")
        }
        _ => unavailable(app, format!("making its stream: {kind}")),
    }
}
