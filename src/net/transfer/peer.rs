//! The Unix socket to another process: bytes both ways, and the sockets that go with them.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::Outgoing;
use crate::handover::{Frame, FrameReader, Invalid, Message};

/// Bytes of one read.
const READ: usize = 64 << 10;
/// Sockets that go with one message, at most; the system allows 253.
pub(super) const MAX_SOCKETS: usize = 16;
/// Sockets that may wait for their message: what one read brings, and no more.
const MAX_WAITING: usize = 256;
/// What is said when the system has dropped sockets that have come.
const NO_PLACE: &str = "the new process may open no more files, and each connection is one: raise its limit (ulimit -n)";

/// The other process.
#[derive(Debug)]
pub(super) struct Peer {
    socket: UnixStream,
    reader: FrameReader,
    buffer: Box<[u8]>,
    /// Sockets that have come, and whose messages have not been read yet.
    sockets: VecDeque<OwnedFd>,
    out: VecDeque<Outgoing>,
    /// Bytes of the first of these that have left; its sockets have, with the first one.
    written: usize,
    /// Whether so many descriptors of this user are on their way that the system takes no more (`ETOOMANYREFS`).
    is_crowded: bool,
}

/// Why there is nobody to talk to any more.
#[derive(Debug)]
pub(super) enum Lost {
    /// The other process has gone, or has closed the socket.
    Gone,
    /// The system says so.
    Io(io::Error),
    /// It has said what it must not.
    Invalid(Invalid),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the other process has gone"),
            Self::Io(error) => error.fmt(f),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        let is_end =
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
        if is_end { Self::Gone } else { Self::Io(error) }
    }
}

impl From<Invalid> for Lost {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl Peer {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            reader: FrameReader::default(),
            buffer: vec![0; READ].into(),
            sockets: VecDeque::new(),
            out: VecDeque::new(),
            written: 0,
            is_crowded: false,
        })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn queue(&mut self, message: Outgoing) {
        self.out.push_back(message);
    }

    /// Says a message that no others follow, if the other process takes it at once and nothing else waits.
    pub(super) fn say_last(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        if message.write(&mut bytes, 0).is_some() {
            self.queue(Outgoing { bytes, sockets: Vec::new(), word: None });
            let _unheard = self.write();
        }
    }

    /// Takes no messages with longer bodies, until this is called again.
    pub(super) fn set_longest(&mut self, longest: usize) {
        self.reader.set_longest(longest);
    }

    /// Whether something is to be written.
    pub(super) fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// Whether what is to be written waits for others to take descriptors: the system does not tell when they have.
    pub(super) fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// Writes what the other process takes.
    pub(super) fn write(&mut self) -> Result<(), Lost> {
        self.is_crowded = false;
        while let Some(first) = self.out.front_mut() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            let sockets: Vec<_> = first.sockets.iter().map(|socket| socket.as_fd()).collect();
            if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
                return Err(Lost::Invalid(Invalid::Descriptors));
            }
            let bytes = [IoSlice::new(&first.bytes[self.written..])];
            match sendmsg(&self.socket, &bytes, &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    self.written += count;
                    first.sockets.clear(); // they are the other one's
                    if self.written == first.bytes.len() {
                        self.written = 0;
                        self.out.pop_front();
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::TOOMANYREFS) => {
                    self.is_crowded = true;
                    return Ok(());
                }
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    /// Reads once; whether there was something.
    pub(super) fn read(&mut self) -> Result<bool, Lost> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [IoSliceMut::new(&mut self.buffer)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = match recvmsg(&self.socket, &mut bytes, &mut ancillary, flags) {
            Ok(received) => received,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(io::Error::from(error).into()),
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.sockets.extend(descriptors);
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            // Some are lost, and those that follow would be taken for them.
            return Err(io::Error::other(NO_PLACE).into());
        }
        let count = received.bytes;
        if count == 0 {
            return Err(Lost::Gone);
        }
        if self.sockets.len() > MAX_WAITING {
            return Err(Lost::Invalid(Invalid::Descriptors));
        }
        self.reader.push(&self.buffer[..count]);
        Ok(true)
    }

    /// The next message that is all there, with its sockets.
    pub(super) fn next_message(&mut self) -> Result<Option<(Frame, Vec<OwnedFd>)>, Lost> {
        let Some(frame) = self.reader.next_frame()? else { return Ok(None) };
        if frame.descriptors > self.sockets.len() {
            return Err(Lost::Invalid(Invalid::Descriptors));
        }
        let sockets = self.sockets.drain(..frame.descriptors).collect();
        Ok(Some((frame, sockets)))
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs::File;
    use std::io::Read as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    /// Says that this is the process in which a test has been started anew.
    const ALONE: &str = "FERROSOCKET_TEST_ALONE";
    const NAME: &str =
        "net::transfer::peer::tests::it_waits_while_too_many_descriptors_are_on_their_way";
    /// So many descriptors a user may have on their way, beside how many each of its processes may have open.
    const LIMIT: u64 = 20;

    /// In a process of its own, since that can't open anything; and of a user who is not above the limits.
    #[test]
    fn it_waits_while_too_many_descriptors_are_on_their_way() {
        if env::var_os(ALONE).is_some() {
            fill();
            return crowd();
        }
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", NAME]).env(ALONE, "1");
        if rustix::process::geteuid().is_root() {
            child.uid(65534);
        }
        match child.status() {
            Ok(status) => assert!(status.success()),
            // That user can't reach the program.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
    }

    /// A socket that is lost is not followed by others in its place.
    fn fill() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut from, mut to) = (Peer::new(theirs).unwrap(), Peer::new(ours).unwrap());
        let socket = OwnedFd::from(File::open("/dev/null").unwrap()).into();
        from.queue(Outgoing { bytes: vec![0], sockets: vec![socket], word: None });
        from.write().unwrap();
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
        let read = to.read();
        setrlimit(Resource::Nofile, limit).unwrap();
        assert!(matches!(read, Err(Lost::Io(_))), "{read:?}");
    }

    fn crowd() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut peer = Peer::new(ours).unwrap();
        for byte in 0..100 {
            let socket = OwnedFd::from(File::open("/dev/null").unwrap()).into();
            peer.queue(Outgoing { bytes: vec![byte], sockets: vec![socket], word: None });
        }
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(LIMIT), maximum }).unwrap();
        let mut come = Vec::new();
        let mut waits = 0;
        while peer.has_output() {
            peer.write().unwrap();
            waits += usize::from(peer.is_crowded());
            let mut bytes = [0; 8];
            let count = theirs.read(&mut bytes).unwrap(); // the descriptors are closed
            come.extend_from_slice(&bytes[..count]);
        }
        drop(peer);
        theirs.read_to_end(&mut come).unwrap();
        assert!(waits > 0, "nothing had to wait");
        assert!(come.into_iter().eq(0..100));
    }
}
