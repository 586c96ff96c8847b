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
/// What a file is called before it takes that name.
const NEXT: &str = ".next";

/// The file of the socket. It goes when this does, if it is still the same.
#[derive(Debug)]
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
        if self.is_there() && self.rename(under_way(&self.path)).is_err() {
            let _gone = fs::remove_file(&self.path);
        }
    }

    /// Takes another name, if no file that is none of a socket has it.
    fn rename(&mut self, to: PathBuf) -> io::Result<()> {
        match fs::symlink_metadata(&to) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        fs::rename(&self.path, &to)?;
        self.path = to;
        Ok(())
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

/// That this process has just got the clients, and is about to offer them: for as long as it is kept.
#[derive(Debug)]
pub(super) struct Announced {
    _file: File,
    _listener: UnixListener,
}

/// Says so in place of the process that had them, without a moment in which nobody does.
pub(super) fn announce(path: &Path) -> io::Result<Announced> {
    let next = with_ending(path, NEXT);
    if is_left(&next)? {
        remove(&next)?;
    }
    let listener = bind(&next)?;
    let mut file = File::of(&next)?;
    file.rename(under_way(path))?;
    Ok(Announced { _file: file, _listener: listener })
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
    with_ending(path, UNDER_WAY)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
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
