//! How a command finds the running host: by what it is told, or by what the host has written into its state directory.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hull_manifest::AdminAddress;

use crate::manifest_files::{open_regular, state_dir_here};
use crate::options::HostOptions;

/// The address that the running host listens on, one line.
const ADDRESS_FILE: &str = "admin-address";
/// The token that this machine's own commands show.
const TOKEN_FILE: &str = "admin-token";
/// The token itself, where no file can be.
const TOKEN_VARIABLE: &str = "HULL_TOKEN";
/// Neither file is longer than this, in bytes.
const FILE_BYTES_MAX: u64 = 4096;

/// Where the host is, and how to be let in.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) address: AdminAddress,
    /// Where the address comes from, for people.
    pub(super) origin: String,
    /// None for a socket, which needs none, and if there is none to be found.
    pub(super) token: Option<String>,
}

/// Find the host.
pub(super) fn find(options: &HostOptions) -> anyhow::Result<Found> {
    let from_environment = match std::env::var(TOKEN_VARIABLE) {
        Ok(token) => Some(token),
        Err(std::env::VarError::NotPresent) => None,
        Err(error) => return Err(error).context("HULL_TOKEN cannot be a token"),
    };
    find_with(options, from_environment)
}

fn find_with(options: &HostOptions, token: Option<String>) -> anyhow::Result<Found> {
    let state_dir = match &options.state_dir {
        Some(folder) => folder.clone(),
        None => state_dir_here()?,
    };
    let (address, origin) = match &options.admin {
        Some(address) => (address.clone(), "as --admin or HULL_ADMIN says".to_owned()),
        None => (address_in(&state_dir)?, format!("as the state directory {} says", state_dir.display())),
    };
    let token = match &address {
        AdminAddress::Socket(_) => None,
        AdminAddress::Tcp(_) => token_of(options.token_file.as_deref(), token, &state_dir)?,
    };
    Ok(Found { address, origin, token })
}

fn address_in(state_dir: &Path) -> anyhow::Result<AdminAddress> {
    let path = state_dir.join(ADDRESS_FILE);
    match read_line(&path) {
        Ok(text) => text.parse().with_context(|| format!("{} holds no address: start the host again", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = state_dir.display();
            bail!(
                "no host is running for state directory {folder}: start one with `hull up`, or say where it is with \
                 --state-dir or --admin"
            )
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// What is named must be there; what nobody named may be missing, and the host then says that it wants one.
fn token_of(file: Option<&Path>, token: Option<String>, state_dir: &Path) -> anyhow::Result<Option<String>> {
    if let (None, Some(token)) = (file, token) {
        return Ok(Some(token));
    }
    let path = file.map_or_else(|| state_dir.join(TOKEN_FILE), PathBuf::from);
    match read_line(&path) {
        Ok(token) => Ok(Some(token)),
        Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read the token in {}", path.display())),
    }
}

fn read_line(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use hull_manifest::AdminAddress;

    use super::find_with;
    use crate::options::HostOptions;

    fn options(state_dir: &Path) -> HostOptions {
        HostOptions { state_dir: Some(state_dir.to_owned()), admin: None, token_file: None, app: None, json: false }
    }

    #[test]
    fn the_state_directory_tells_address_and_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = options(folder.path());
        let told = find_with(&options, None).expect_err("nothing there").to_string();
        assert!(told.contains("no host is running for state directory") && told.contains("hull up"), "{told}");

        fs::write(folder.path().join("admin-address"), "127.0.0.1:4001\n").expect("written");
        let found = find_with(&options, None).expect("an address");
        assert_eq!((found.address.to_string().as_str(), found.token), ("127.0.0.1:4001", None));
        fs::write(folder.path().join("admin-token"), "secret\n").expect("written");
        assert_eq!(find_with(&options, None).expect("a token").token.as_deref(), Some("secret"));
        assert_eq!(find_with(&options, Some("mine".into())).expect("a token").token.as_deref(), Some("mine"));

        fs::write(folder.path().join("admin-address"), "nonsense").expect("written");
        assert!(find_with(&options, None).expect_err("no address").to_string().contains("holds no address"));
    }

    #[test]
    fn what_is_named_counts_and_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = folder.path().join("token");
        fs::write(&named, "other").expect("written");
        let mut options = options(folder.path());
        options.admin = Some(AdminAddress::Tcp(([127, 0, 0, 1], 9).into()));
        options.token_file = Some(named);
        let found = find_with(&options, Some("mine".into())).expect("found");
        assert_eq!((found.address.to_string().as_str(), found.token.as_deref()), ("127.0.0.1:9", Some("other")));
        options.token_file = Some(folder.path().join("missing"));
        assert!(find_with(&options, None).expect_err("no token").to_string().contains("cannot read the token"));
        // A socket is guarded by its permissions.
        options.admin = Some(AdminAddress::Socket("./admin.sock".to_owned()));
        assert_eq!(find_with(&options, None).expect("found").token, None);
    }
}
