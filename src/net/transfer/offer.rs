//! Where clients are offered: a Unix socket, and the file that is its name.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

/// The file is its owner's alone.
const MODE: u32 = 0o600;

/// What the file is called from when somebody has come on: it says that a hand-over is under way, and that whoever serves then is about to
/// offer here.
const UNDER_WAY: &str = ".busy";

/// The file of the socket. It goes when this does, if it is still the same.
pub(super) struct File {
    path: PathBuf,
    inode: u64,
}

impl File {
    /// That of a socket that listens.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() })
    }

    /// Gives its name up, and takes the one that says that a hand-over is under way, if no file that is none of ours has it.
    pub(super) fn set_aside(&mut self) {
        let aside = under_way(&self.path);
        let is_ours = match fs::symlink_metadata(&aside) {
            Ok(found) => found.file_type().is_socket(),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if !self.is_there() {
            return;
        }
        if is_ours && fs::rename(&self.path, &aside).is_ok() {
            self.path = aside;
        } else {
            let _gone = fs::remove_file(&self.path);
        }
    }

    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.is_there() {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, which only this user can reach. What a process has left there that has ended is replaced.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    if is_left(path)? {
        remove(path)?;
    }
    let aside = under_way(path);
    if is_left(&aside).unwrap_or_default() {
        let _stays = remove(&aside); // nothing rests on it
    }
    bind(path)
}

/// Removes a file that may have gone meanwhile: by the process that has made it.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
        .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Whether there is the file of a socket of a process that has ended.
///
/// # Errors
/// When there is another file, or somebody listens.
fn is_left(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => Err(ErrorKind::AlreadyExists.into()),
        Ok(_) => match connect(path)? {
            Connected::To(_) | Connected::Crowd => Err(ErrorKind::AddrInUse.into()),
            Connected::Nobody => Ok(true),
        },
    }
}

fn open_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// A socket whose file has its mode before anybody can connect to it.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let socket = open_socket()?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    rustix::net::listen(&socket, 1)?;
    Ok(UnixListener::from(socket))
}

/// Whether the process at the other end is one of the same user.
pub(super) fn is_same_user(socket: &UnixStream) -> io::Result<bool> {
    Ok(socket_peercred(socket)?.uid == rustix::process::geteuid())
}

/// What came of connecting.
pub(super) enum Connected {
    /// Somebody listens.
    To(UnixStream),
    /// More wait already than may.
    Crowd,
    /// Nobody listens.
    Nobody,
}

/// Connects to a Unix socket, and waits for nobody: JavaScript's thread asks.
pub(super) fn connect(path: &Path) -> io::Result<Connected> {
    let socket = open_socket()?;
    match rustix::net::connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) => Ok(Connected::To(UnixStream::from(socket))),
        Err(Errno::AGAIN) => Ok(Connected::Crowd),
        Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(Connected::Nobody),
        Err(error) => Err(error.into()),
    }
}

/// What the file of an offer is called when somebody has come.
pub(super) fn under_way(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNDER_WAY);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    /// Between the look whether somebody listens and the removal, the process that has made it may have removed it itself.
    #[test]
    fn a_file_that_goes_meanwhile_is_as_good_as_removed() {
        let path = env::temp_dir().join(format!("ferrosocket-left-{}", std::process::id()));
        drop(UnixListener::bind(&path).unwrap());
        assert!(is_left(&path).unwrap());
        fs::remove_file(&path).unwrap();
        remove(&path).unwrap();
        drop(listen(&path).unwrap());
        fs::remove_file(path).unwrap();
    }
}
