//! What is said of a session.

use std::net::IpAddr;

use bytes::Bytes;

use super::error::Invalid;
use super::fields::{self, Fields, once};
use crate::engineio::{
    CarriedBeat, CarriedPacket, CarriedPolling, CarriedPost, CarriedSession, Dialect, OutMessage,
    Protocol,
};
use crate::id::Sid;

/// An id of a session, at most. A program that makes its own has seldom a longer one, and such a session stays where it is.
pub const MAX_SID: usize = 1 << 10;

/// Names of fields.
mod field {
    pub(super) const SID: u8 = 1;
    /// The bits of [`super::flag`].
    pub(super) const FLAGS: u8 = 2;
    /// What the heartbeat does (a byte), and a number of milliseconds.
    pub(super) const BEAT: u8 = 3;
    pub(super) const JOIN_LEFT: u8 = 4;
    pub(super) const JSONP: u8 = 5;
    /// The bits of [`super::flag`] (a byte), and a packet.
    pub(super) const QUEUED: u8 = 6;
    pub(super) const UNREAD: u8 = 7;
    pub(super) const UNWRITTEN: u8 = 8;
    pub(super) const PACKET: u8 = 9;
    pub(super) const ATTACHMENT: u8 = 10;
    /// Whether it is binary (a byte), and a body; once for each.
    pub(super) const POST: u8 = 11;
    pub(super) const BLOB: u8 = 12;
    /// Two numbers of milliseconds.
    pub(super) const PINGS: u8 = 13;
    /// 4 bytes, or 16.
    pub(super) const ADDRESS: u8 = 14;
}

/// What a session is, or a packet that waits for a poll.
mod flag {
    pub(super) const PROTOCOL_3: u8 = 1;
    pub(super) const BASE64: u8 = 2;
    pub(super) const POLLING: u8 = 4;
    pub(super) const UPGRADED: u8 = 8;

    pub(super) const MESSAGE: u8 = 1;
    pub(super) const BINARY: u8 = 2;
    pub(super) const COMPRESS: u8 = 4;
}

mod beat {
    pub(super) const RESTING: u8 = 0;
    pub(super) const WAITING: u8 = 1;
    pub(super) const LISTENING: u8 = 2;
}

/// A session on its way from one process to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedSession {
    /// Of Engine.IO.
    pub session: CarriedSession,
    /// For so many milliseconds more its client may be in no namespace; none: it has been in one.
    pub join_left: Option<u64>,
    /// The client's address, as far as it is known.
    pub address: Option<IpAddr>,
    /// What has come by its WebSocket and is no whole message, as frames.
    pub unread: Vec<u8>,
    /// What is still to be written to its WebSocket.
    pub unwritten: Vec<u8>,
    /// A packet of which attachments are missing, and those that have come.
    pub packet: Option<(String, Vec<Vec<u8>>)>,
    /// The bodies of POSTs that have been answered and not been read, in that order; whether they are binary. Its transport may be a WebSocket
    /// by now.
    pub posts: Vec<CarriedPost>,
    /// What JavaScript says of it.
    pub blob: Vec<u8>,
}

impl HandedSession {
    /// Whether its socket comes with it: that of its WebSocket. Those by which polling requests come are anybody's.
    pub fn has_socket(&self) -> bool {
        self.session.polling.is_none()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let CarriedSession { sid, dialect, beat, ping_interval, ping_timeout, upgraded, polling } =
            &self.session;
        fields::write(out, field::SID, sid.as_str().as_bytes());
        let bits = [
            (dialect.protocol == Protocol::V3, flag::PROTOCOL_3),
            (dialect.base64, flag::BASE64),
            (polling.is_some(), flag::POLLING),
            (*upgraded, flag::UPGRADED),
        ];
        fields::write(out, field::FLAGS, &[flags(&bits)]);
        let (what, time) = match *beat {
            CarriedBeat::Resting(left) => (beat::RESTING, left),
            CarriedBeat::Waiting(ago) => (beat::WAITING, ago.into()),
            CarriedBeat::Listening => (beat::LISTENING, 0),
        };
        fields::write_parts(out, field::BEAT, &[&[what], &time.to_le_bytes()]);
        let pings = [&ping_interval.to_le_bytes()[..], &ping_timeout.to_le_bytes()];
        fields::write_parts(out, field::PINGS, &pings);
        if let Some(left) = self.join_left {
            fields::write(out, field::JOIN_LEFT, &left.to_le_bytes());
        }
        match self.address {
            Some(IpAddr::V4(address)) => fields::write(out, field::ADDRESS, &address.octets()),
            Some(IpAddr::V6(address)) => fields::write(out, field::ADDRESS, &address.octets()),
            None => {}
        }
        if let Some(CarriedPolling { jsonp, queue }) = polling {
            if let Some(jsonp) = jsonp {
                fields::write(out, field::JSONP, jsonp.as_bytes());
            }
            for packet in queue {
                write_queued(out, packet);
            }
        }
        for (name, bytes) in [(field::UNREAD, &self.unread), (field::UNWRITTEN, &self.unwritten)] {
            if !bytes.is_empty() {
                fields::write(out, name, bytes);
            }
        }
        if let Some((text, attachments)) = &self.packet {
            fields::write(out, field::PACKET, text.as_bytes());
            for attachment in attachments {
                fields::write(out, field::ATTACHMENT, attachment);
            }
        }
        for (body, binary) in &self.posts {
            fields::write_parts(out, field::POST, &[&[u8::from(*binary)], body]);
        }
        fields::write(out, field::BLOB, &self.blob);
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Invalid> {
        let mut sid = None;
        let mut bits = None;
        let mut beat = None;
        let mut pings = None;
        let mut join_left = None;
        let mut address = None;
        let mut jsonp = None;
        let mut queue = Vec::new();
        let mut unread = None;
        let mut unwritten = None;
        let mut packet = None;
        let mut attachments = Vec::new();
        let mut posts = Vec::new();
        let mut blob = None;
        let mut fields = Fields::new(body);
        while let Some((name, bytes)) = fields.next_field()? {
            match name {
                field::SID => once(&mut sid, read_sid(bytes)?)?,
                field::FLAGS => once(&mut bits, read_flags(bytes)?)?,
                field::BEAT => once(&mut beat, read_beat(bytes)?)?,
                field::PINGS => once(&mut pings, read_pings(bytes)?)?,
                field::JOIN_LEFT => once(&mut join_left, fields::u64(bytes)?)?,
                field::ADDRESS => once(&mut address, read_address(bytes)?)?,
                field::JSONP => once(&mut jsonp, fields::text(bytes)?)?,
                field::QUEUED => queue.push(read_queued(bytes)?),
                field::UNREAD => once(&mut unread, bytes.to_vec())?,
                field::UNWRITTEN => once(&mut unwritten, bytes.to_vec())?,
                field::PACKET => once(&mut packet, fields::text(bytes)?)?,
                field::ATTACHMENT => attachments.push(bytes.to_vec()),
                field::POST => posts.push(read_post(bytes)?),
                field::BLOB => once(&mut blob, bytes.to_vec())?,
                _ => return Err(Invalid::Damaged),
            }
        }
        let (Some(sid), Some(bits), Some(beat), Some((ping_interval, ping_timeout)), Some(blob)) =
            (sid, bits, beat, pings, blob)
        else {
            return Err(Invalid::Damaged);
        };
        let is_polling = bits & flag::POLLING != 0;
        let of_websocket = unread.is_some() || unwritten.is_some();
        let of_polling = jsonp.is_some() || !queue.is_empty();
        if (is_polling && of_websocket)
            || (!is_polling && of_polling)
            || (packet.is_none() && !attachments.is_empty())
        {
            return Err(Invalid::Damaged);
        }
        let protocol = if bits & flag::PROTOCOL_3 == 0 { Protocol::V4 } else { Protocol::V3 };
        Ok(Self {
            session: CarriedSession {
                sid,
                dialect: Dialect { protocol, base64: bits & flag::BASE64 != 0 },
                beat,
                ping_interval,
                ping_timeout,
                upgraded: bits & flag::UPGRADED != 0,
                polling: is_polling.then_some(CarriedPolling { jsonp, queue }),
            },
            join_left,
            address,
            unread: unread.unwrap_or_default(),
            unwritten: unwritten.unwrap_or_default(),
            packet: packet.map(|text| (text, attachments)),
            posts,
            blob,
        })
    }
}

fn flags(bits: &[(bool, u8)]) -> u8 {
    bits.iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, bit)| all | bit)
}

fn read_sid(bytes: &[u8]) -> Result<Sid, Invalid> {
    let text = fields::text(bytes)?;
    if text.is_empty() || text.len() > MAX_SID {
        return Err(Invalid::Damaged);
    }
    Ok(Sid::new(&text))
}

fn read_flags(bytes: &[u8]) -> Result<u8, Invalid> {
    let known = flag::PROTOCOL_3 | flag::BASE64 | flag::POLLING | flag::UPGRADED;
    match *bytes {
        [bits] if bits & !known == 0 => Ok(bits),
        _ => Err(Invalid::Damaged),
    }
}

fn read_beat(bytes: &[u8]) -> Result<CarriedBeat, Invalid> {
    let (what, time) = bytes.split_first().ok_or(Invalid::Damaged)?;
    let time = fields::u64(time)?;
    match *what {
        beat::RESTING => Ok(CarriedBeat::Resting(time)),
        beat::WAITING => {
            Ok(CarriedBeat::Waiting(u32::try_from(time).map_err(|_| Invalid::Damaged)?))
        }
        beat::LISTENING if time == 0 => Ok(CarriedBeat::Listening),
        _ => Err(Invalid::Damaged),
    }
}

fn read_pings(bytes: &[u8]) -> Result<(u64, u64), Invalid> {
    let (interval, timeout) = bytes.split_first_chunk::<8>().ok_or(Invalid::Damaged)?;
    Ok((u64::from_le_bytes(*interval), fields::u64(timeout)?))
}

fn read_address(bytes: &[u8]) -> Result<IpAddr, Invalid> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).map_err(|_| Invalid::Damaged)
}

fn write_queued(out: &mut Vec<u8>, packet: &CarriedPacket) {
    let (bits, data) = match packet {
        CarriedPacket::Control(text, compress) => {
            (flags(&[(*compress, flag::COMPRESS)]), text.as_bytes())
        }
        CarriedPacket::Message(OutMessage { data, binary, compress }) => {
            let bits = [(*binary, flag::BINARY), (*compress, flag::COMPRESS)];
            (flag::MESSAGE | flags(&bits), &data[..])
        }
    };
    fields::write_parts(out, field::QUEUED, &[&[bits], data]);
}

fn read_queued(bytes: &[u8]) -> Result<CarriedPacket, Invalid> {
    let (bits, data) = bytes.split_first().ok_or(Invalid::Damaged)?;
    let compress = bits & flag::COMPRESS != 0;
    let binary = bits & flag::BINARY != 0;
    if bits & !(flag::MESSAGE | flag::BINARY | flag::COMPRESS) != 0 {
        return Err(Invalid::Damaged);
    }
    if bits & flag::MESSAGE == 0 {
        // The packets that are no messages have a digit, and are text; a program's own may have bytes, as base64.
        return match data.first() {
            Some(b'0'..=b'6' | b'b') if !binary => {
                Ok(CarriedPacket::Control(fields::text(data)?, compress))
            }
            _ => Err(Invalid::Damaged),
        };
    }
    if !binary && std::str::from_utf8(data).is_err() {
        return Err(Invalid::Damaged);
    }
    let data = Bytes::copy_from_slice(data);
    Ok(CarriedPacket::Message(OutMessage { data, binary, compress }))
}

fn read_post(bytes: &[u8]) -> Result<CarriedPost, Invalid> {
    match bytes.split_first() {
        Some((binary @ (0 | 1), body)) => Ok((body.to_vec(), *binary == 1)),
        _ => Err(Invalid::Damaged),
    }
}
