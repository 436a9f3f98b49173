//! What was fetched stays on this machine, so that it need not come again. A file has its name from where it came from,
//! and is compared with its digest whenever it is used.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hull_manifest::Digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use crate::body::Coming;
use crate::failed::Why;
use crate::signature::Signature;

/// The folder for what was fetched.
pub(crate) struct Cache {
    folder: PathBuf,
}

/// A file that is what it should be, and is not kept yet.
pub(crate) struct Received(Unfinished);

/// A file that is not whole yet; it goes unless it becomes so.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Cache {
    /// In that folder, which is made when it is needed.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where that is, of all that comes from that place.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.folder.join(format!("{}.wasm", hex(Sha256::new_with_prefix(place))))
    }

    /// Whether it is there, and is what it should be.
    pub(crate) fn holds(path: &Path, digest: &Digest) -> bool {
        hash_of(path).is_ok_and(|found| found == digest.hex())
    }

    /// Write what comes. It is kept only once [`Cache::keep`] is told so; what is not what it should be never is.
    pub(crate) async fn receive(&self, mut coming: Coming, digest: &Digest, path: &Path) -> Result<Received, Why> {
        let (mut file, unfinished) = self.begin(path).map_err(|source| self.failed(source))?;
        let mut hash = Sha256::new();
        while let Some(piece) = coming.next().await? {
            hash.update(&piece);
            file.write_all(&piece).map_err(|source| self.failed(source))?;
        }
        let found = hex(hash);
        if found == digest.hex() {
            return Ok(Received(unfinished));
        }
        Err(Why::WrongDigest { wanted: digest.to_string(), found })
    }

    /// Keep what was received, with its signature.
    pub(crate) fn keep(&self, received: &Received, path: &Path, signature: Option<&Signature>) -> Result<(), Why> {
        self.set_signature(path, signature)?;
        std::fs::rename(&received.0.0, path).map_err(|source| self.failed(source))
    }

    /// Write the signature beside it, or that there is none.
    pub(crate) fn set_signature(&self, path: &Path, signature: Option<&Signature>) -> Result<(), Why> {
        let beside = Signature::path_of(path);
        let done = match signature {
            None => match std::fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Some(signature) => self.begin(&beside).and_then(|mut file| {
                file.0.write_all(signature.to_string().as_bytes())?;
                std::fs::rename(&file.1.0, &beside)
            }),
        };
        done.map_err(|source| self.failed(source))
    }

    fn begin(&self, path: &Path) -> io::Result<(File, Unfinished)> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no random bytes"))?;
        let unfinished = path.with_added_extension(format!("{:x}", u64::from_le_bytes(random)));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        Ok((file, Unfinished(unfinished)))
    }

    fn failed(&self, source: io::Error) -> Why {
        Why::Cache { folder: self.folder.display().to_string(), source }
    }
}

/// Digits of what was hashed.
pub(crate) fn hex(hash: Sha256) -> String {
    let bytes: [u8; 32] = hash.finalize().into();
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn hash_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(hash)),
            length => hash.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}
