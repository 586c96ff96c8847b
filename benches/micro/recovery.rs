//! What connection state recovery costs for each packet, and for each client that comes back.

use std::hint::black_box;
use std::sync::Arc;

use ferrosocket::socketio::recovery_log::RecoveryLog;
use ferrosocket::socketio::recovery_log::lost_sessions::LostSession;
use ferrosocket::socketio::recovery_log::packets::{PACKET_OVERHEAD, StoredPacket};
use smallvec::smallvec;

use crate::harness::Suite;

/// Packets that are kept.
const PACKETS: usize = 10_000;
/// Bytes of the messages of a packet.
const SIZE: usize = 32;
/// Packets that one client has missed.
const MISSED: u64 = 100;

type Log = RecoveryLog<Arc<[u8]>>;

pub(crate) fn cases(suite: &mut Suite) {
    let (mut log, messages) = (full(), messages());
    suite.case("recovery: keep a packet, the oldest has to go", move || {
        log.store(packet(&messages));
    });

    let mut log = full();
    suite.case("recovery: keep a session in place of the same", move || log.persist(session()));

    let mut log = full();
    let (key, _) = log.persist(session());
    let last = log.packets().next() - 1;
    suite.case("recovery: find a session", move || {
        log.restore(black_box("pid"), last, 0).map(|(key, _)| key).expect("it is kept")
    });

    let mut log = full();
    log.persist(session());
    suite.case("recovery: collect 100 packets that a client has missed", move || {
        let missed = log.missed(black_box(key), last - MISSED).expect("all are kept");
        let missed: Vec<Arc<[u8]>> = missed.cloned().collect();
        assert_eq!(missed.len() as u64, MISSED);
        missed
    });
}

/// A log that is full of packets.
fn full() -> Log {
    let (mut log, messages) = (RecoveryLog::new(PACKETS * (PACKET_OVERHEAD + SIZE), 0), messages());
    for _ in 0..=PACKETS {
        log.store(packet(&messages));
    }
    log
}

fn messages() -> Arc<[u8]> {
    Arc::from([b'b'; SIZE])
}

fn packet(messages: &Arc<[u8]>) -> StoredPacket<Arc<[u8]>> {
    let (rooms, except) = (smallvec![1], smallvec![2]);
    StoredPacket { time: 1, rooms, except, messages: Arc::clone(messages), size: SIZE }
}

fn session() -> LostSession {
    let rooms = Box::new([0, 1]);
    LostSession { pid: "pid".into(), socket_id: "sid".into(), rooms, lost_at: 1, size: 40 }
}
