//! The flags of every app: kept in a file each, so that they outlive deployments, restarts and crashes, and live for those
//! who serve. What is set is on disk before it holds for anybody.

mod record;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hull_config::LiveFlags;
use hull_manifest::Name;
use hull_rollout::{FlagError, Flags};
use parking_lot::Mutex;

use crate::durable;
use crate::node::crash_points::CrashPoints;
use record::AppRecord;

pub(crate) use record::FlagRecord;

/// What the files end with.
const EXTENSION: &str = "json";

/// Why flags cannot be had or set.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum FlagsError {
    /// The rule cannot be.
    #[error(transparent)]
    Rule(#[from] FlagError),
    /// There is nothing to unset.
    #[error("app {app} has no such rule for {variable}; `hull flags list` shows what there is")]
    Missing { app: String, variable: String },
    /// The file is not what was written.
    #[error("the flags in {path} are damaged: {why}; restore the file from a backup, or remove it to have none")]
    Damaged { path: String, why: String },
    /// The file system failed.
    #[error("the flags in {path}: {why}; nothing was changed")]
    Io { path: String, why: String },
}

/// The flags of all apps.
pub(crate) struct FlagBook {
    folder: PathBuf,
    apps: Arc<Mutex<BTreeMap<Name, Result<Arc<LiveFlags>, FlagsError>>>>,
    crash_points: Arc<CrashPoints>,
    /// One change at a time. Whoever writes holds it to the end, also if nobody waits for that any more.
    changing: Arc<tokio::sync::Mutex<()>>,
}

impl FlagBook {
    /// Open what was set. A file that is damaged is told to whoever asks for its app.
    pub(crate) fn open(folder: PathBuf, crash_points: Arc<CrashPoints>) -> io::Result<Self> {
        let mut apps = BTreeMap::new();
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let is_ours = path.extension().is_some_and(|extension| extension == EXTENSION);
            let name = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<Name>().ok());
            if let (true, Some(name)) = (is_ours, name) {
                apps.insert(name, read(&path));
            }
        }
        Ok(Self { folder, apps: Arc::new(Mutex::new(apps)), crash_points, changing: Arc::default() })
    }

    /// The flags of an app, as they are from now on.
    pub(crate) fn live(&self, app: &Name) -> Result<Arc<LiveFlags>, FlagsError> {
        match self.known(app)? {
            Some(live) => Ok(live),
            None => self.apps.lock().entry(app.clone()).or_insert_with(|| Ok(Arc::default())).clone(),
        }
    }

    /// The flags of an app that has any, or had. A file that was damaged may have been mended since.
    fn known(&self, app: &Name) -> Result<Option<Arc<LiveFlags>>, FlagsError> {
        let mut apps = self.apps.lock();
        let Some(known) = apps.get_mut(app) else { return Ok(None) };
        if known.is_err() {
            *known = read(&self.path(app));
        }
        known.clone().map(Some)
    }

    /// The flags of an app as they are now.
    pub(crate) fn now(&self, app: &Name) -> Result<Flags, FlagsError> {
        Ok(self.known(app)?.and_then(|live| live.load().as_deref().cloned()).unwrap_or_default())
    }

    /// Change them: what holds afterwards is on disk, and new invocations see it at once. Dropping the future leaves
    /// open whether they are changed, and never half of it.
    pub(crate) async fn change(
        &self,
        app: &Name,
        change: impl FnOnce(&mut Flags) -> Result<(), FlagsError>,
    ) -> Result<(), FlagsError> {
        let changing = Arc::clone(&self.changing).lock_owned().await;
        let mut next = self.now(app)?;
        change(&mut next)?;
        let (live, path, crash_points) = (self.live(app)?, self.path(app), Arc::clone(&self.crash_points));
        let writing = hull_threads::blocking(move || {
            let _changing = changing;
            write(&path, &AppRecord::of(&next))?;
            crash_points.passed("flags written");
            live.store((!next.is_empty()).then(|| Arc::new(next)));
            crash_points.passed("flags set");
            Ok::<(), io::Error>(())
        });
        writing.await.map_err(|error| self.io(app, &error))?.map_err(|error| self.io(app, &error))
    }

    /// Forget the flags of an app that is purged.
    pub(crate) async fn forget(&self, app: &Name) -> Result<(), FlagsError> {
        let changing = Arc::clone(&self.changing).lock_owned().await;
        let (name, path, apps) = (app.clone(), self.path(app), Arc::clone(&self.apps));
        let removing = hull_threads::blocking(move || {
            let _changing = changing;
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.and_then(|()| durable::sync_folder_of(&path))?,
            }
            apps.lock().remove(&name);
            Ok::<(), io::Error>(())
        });
        removing.await.map_err(|error| self.io(app, &error))?.map_err(|error| self.io(app, &error))
    }

    fn path(&self, app: &Name) -> PathBuf {
        self.folder.join(format!("{app}.{EXTENSION}"))
    }

    fn io(&self, app: &Name, error: &dyn std::fmt::Display) -> FlagsError {
        FlagsError::Io { path: self.path(app).display().to_string(), why: error.to_string() }
    }
}

fn read(path: &Path) -> Result<Arc<LiveFlags>, FlagsError> {
    let damaged = |why: String| FlagsError::Damaged { path: path.display().to_string(), why };
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
        text => text.map_err(|error| damaged(error.to_string()))?,
    };
    let record: AppRecord = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    Ok(Arc::new(LiveFlags::from_pointee(record.flags().map_err(damaged)?)))
}

fn write(path: &Path, record: &AppRecord) -> io::Result<()> {
    durable::write(path, &serde_json::to_vec(record)?)
}

#[cfg(test)]
mod tests {
    use hull_manifest::{Name, StickyBy};
    use hull_rollout::{Flags, Rule, Share, When};

    use super::{FlagBook, FlagsError};

    fn shop() -> Name {
        "shop".parse().expect("a name")
    }

    fn rule(when: When, value: &str) -> Rule {
        Rule { when, value: value.to_owned(), by: "ci".to_owned(), at: "2026-01-01T00:00:00Z".to_owned() }
    }

    #[tokio::test]
    async fn what_was_set_comes_back_and_what_is_damaged_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let never = || std::sync::Arc::new(crate::node::crash_points::CrashPoints::new(None));
        let open = || FlagBook::open(folder.path().to_owned(), never()).expect("a book");
        let book = open();
        let live = book.live(&shop()).expect("none yet");
        let header = || When::Header { name: "x-beta".to_owned(), value: "yes".to_owned() };
        let share = Share::from_hundredths(1250).expect("a share");
        for when in [When::Everybody, When::User("ann".to_owned()), header(), When::Share(share)] {
            let set = |flags: &mut Flags| Ok(flags.set("beta", Some(StickyBy::Ip), 7, rule(when, "on"))?);
            book.change(&shop(), set).await.expect("set");
        }
        let before = book.now(&shop()).expect("set");
        assert_eq!(live.load().as_deref(), Some(&before), "whoever serves has it");
        assert_eq!(open().now(&shop()).expect("kept"), before);
        let missing = || FlagsError::Missing { app: String::new(), variable: String::new() };
        assert!(book.change(&shop(), |_| Err(missing())).await.is_err());
        assert_eq!(open().now(&shop()).expect("kept"), before);
        let path = folder.path().join("shop.json");
        let text = std::fs::read_to_string(&path).expect("kept");
        for damage in [text[..text.len() / 2].to_owned(), text.replace("1250", "99999"), text.replace("ip", "what")] {
            std::fs::write(&path, damage).expect("written");
            let told = open().live(&shop()).expect_err("damaged").to_string();
            assert!(told.contains("shop.json are damaged"), "{told}");
            assert!(open().live(&"bank".parse().expect("a name")).is_ok());
        }
        let held = open();
        assert!(held.now(&shop()).is_err(), "damaged");
        std::fs::write(&path, text).expect("written");
        assert_eq!(held.now(&shop()).expect("mended"), before);
        book.forget(&shop()).await.expect("forgotten");
        assert!(open().now(&shop()).expect("none").is_empty() && !path.exists());
    }

    #[tokio::test]
    async fn a_change_that_nobody_waits_for_any_more_is_whole_and_one_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let never = std::sync::Arc::new(crate::node::crash_points::CrashPoints::new(None));
        let book = FlagBook::open(folder.path().to_owned(), never).expect("a book");
        let missing = || FlagsError::Missing { app: String::new(), variable: String::new() };
        assert!(book.change(&shop(), |_| Err(missing())).await.is_err());
        assert!(book.apps.lock().is_empty(), "whatever name was asked for");
        let set = |value: &'static str| {
            move |flags: &mut Flags| Ok(flags.set(value, None, 7, rule(When::Everybody, value))?)
        };
        let name = shop();
        tokio::select! {
            biased;
            _ = book.change(&name, set("first")) => {}
            () = std::future::ready(()) => {}
        }
        book.change(&shop(), set("second")).await.expect("set");
        let set: Vec<_> = book.now(&shop()).expect("set").all().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(set, ["first", "second"]);
    }
}
