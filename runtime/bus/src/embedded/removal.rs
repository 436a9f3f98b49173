//! Removing a stream: its files go with everything that was in them, and the app may begin a new one at once.

use std::sync::Arc;

use super::{APP_FILE, EmbeddedBus, check_name, disk, escape, unavailable};
use crate::error::BusError;

impl EmbeddedBus {
    /// Remove the stream of an app, also one that is damaged.
    pub(super) async fn remove(&self, app: &str) -> Result<(), BusError> {
        check_name(app)?;
        let making = Arc::clone(&self.making).lock_owned().await;
        let stream = self.streams.lock().remove(app);
        let directory = self.options.directory.join(escape(app));
        let removing = hull_threads::blocking(move || {
            let _making = making;
            if let Some(stream) = stream {
                stream.close();
                stream.join();
            }
            disk::remove_directory(&directory, APP_FILE)
        });
        let removed = removing.await.map_err(|_| unavailable(app, "removing it was interrupted"))?;
        removed.map_err(|error| unavailable(app, &format!("removing it: {error}")))?;
        self.broken.lock().remove(app);
        Ok(())
    }
}
