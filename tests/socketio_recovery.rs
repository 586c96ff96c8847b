//! What connection state recovery keeps, on a clock that the test turns.

use std::rc::Rc;

use ferrosocket::socketio::RecoveryLog;
use ferrosocket::socketio::recovery_log::lost_sessions::{
    LostSession, SESSION_OVERHEAD, SessionKey,
};
use ferrosocket::socketio::recovery_log::packets::{PACKET_OVERHEAD, StoredPacket};

const PLENTY: usize = 1 << 20;

fn packet(name: &str, rooms: &[u32], except: &[u32], time: u64) -> StoredPacket<String> {
    StoredPacket {
        time,
        rooms: rooms.into(),
        except: except.into(),
        messages: name.into(),
        size: name.len(),
    }
}

fn session(pid: &str, rooms: &[u32], lost_at: u64) -> LostSession {
    LostSession {
        pid: Rc::from(pid),
        socket_id: format!("socket of {pid}").into(),
        rooms: rooms.into(),
        lost_at,
        size: 0,
    }
}

fn missed(recovery: &RecoveryLog<String>, key: SessionKey, last: u64) -> Option<Vec<&str>> {
    Some(recovery.missed(key, last)?.map(String::as_str).collect())
}

#[test]
fn a_session_gets_what_its_rooms_were_sent_after_the_last_packet_that_it_got() {
    let mut recovery = RecoveryLog::new(PLENTY, 0);
    let (key, _) = recovery.persist(session("p", &[7, 1], 10));
    recovery.store(packet("before", &[], &[], 9));
    recovery.store(packet("got", &[], &[], 10));
    recovery.store(packet("all", &[], &[], 11));
    recovery.store(packet("one", &[1], &[], 12));
    recovery.store(packet("other", &[2], &[], 13));
    recovery.store(packet("both", &[7, 1], &[], 14));
    recovery.store(packet("all but one", &[], &[1], 15));
    recovery.store(packet("one but other", &[1], &[2], 16));
    assert_eq!(missed(&recovery, key, 1), Some(vec!["all", "one", "both", "one but other"]));
    assert_eq!(missed(&recovery, key, 7), Some(vec![]));
}

#[test]
fn a_session_comes_back_with_its_rooms_in_order_and_may_be_lost_again() {
    let mut recovery = RecoveryLog::new(PLENTY, 0);
    recovery.store(packet("got", &[], &[], 1));
    let (first, _) = recovery.persist(session("p", &[9, 3, 5], 2));
    let (key, found) = recovery.restore("p", 0, 2).unwrap();
    assert_eq!((key, &*found.socket_id, &*found.rooms), (first, "socket of p", &[9, 3, 5][..]));
    let (second, forgotten) = recovery.persist(session("p", &[3], 3));
    assert_eq!(forgotten, [first]);
    assert_eq!(recovery.restore("p", 0, 0).map(|(key, _)| key), Some(second));
    assert_eq!(missed(&recovery, first, 0), None);
}

#[test]
fn nobody_comes_back_too_late_or_with_what_was_never_given_out() {
    let mut recovery = RecoveryLog::new(PLENTY, 5);
    recovery.store(packet("got", &[], &[], 1));
    recovery.persist(session("p", &[], 100));
    assert!(recovery.restore("p", 5, 100).is_some());
    assert!(recovery.restore("p", 5, 101).is_none(), "too late");
    assert!(recovery.restore("p", 4, 100).is_some(), "the one before the first that was kept");
    assert!(recovery.restore("p", 3, 100).is_none(), "nobody knows what came after it");
    assert!(recovery.restore("p", 6, 100).is_none(), "not sent yet");
    assert!(recovery.restore("p", u64::MAX, 100).is_none());
    assert!(recovery.restore("q", 5, 100).is_none());
}

#[test]
fn the_oldest_packets_go_first_when_there_are_too_many() {
    let mut recovery = RecoveryLog::new(3 * (PACKET_OVERHEAD + 1), 0);
    let (key, _) = recovery.persist(session("p", &[], 0));
    for name in ["a", "b", "c", "d"] {
        recovery.store(packet(name, &[], &[], 0));
    }
    assert_eq!(recovery.packets().len(), 3);
    assert_eq!(missed(&recovery, key, 0), Some(vec!["b", "c", "d"]));
    recovery.store(packet("e", &[], &[], 0));
    assert_eq!(missed(&recovery, key, 0), None, "b is gone");
    assert!(recovery.restore("p", 0, 0).is_none());
}

#[test]
fn a_packet_too_large_by_itself_is_counted_but_not_kept() {
    let mut recovery = RecoveryLog::new(PACKET_OVERHEAD + 1, 0);
    recovery.store(packet("large", &[4], &[], 0));
    assert_eq!((recovery.packets().len(), recovery.packets().bytes()), (0, 0));
    assert_eq!(recovery.packets().next(), 1);
    assert!(recovery.unused_rooms().contains(&4));
    recovery.store(packet("s", &[], &[], 0));
    assert_eq!((recovery.packets().len(), recovery.packets().next()), (1, 2));
}

#[test]
fn the_oldest_sessions_go_first_when_there_are_too_many() {
    let mut recovery = RecoveryLog::<String>::new(2 * SESSION_OVERHEAD, 0);
    let keys = ["a", "b", "c"].map(|pid| recovery.persist(session(pid, &[], 0)));
    assert_eq!(keys[2].1, [keys[0].0]);
    assert_eq!(recovery.sessions().len(), 2);
    let (key, forgotten) = recovery.persist(LostSession { size: 2000, ..session("d", &[], 0) });
    assert_eq!(forgotten, [keys[1].0, keys[2].0, key], "it is too large by itself");
    assert!(recovery.is_empty());
    assert_eq!(recovery.sessions().bytes(), 0);
}

#[test]
fn what_is_too_old_goes_and_gives_its_rooms_back() {
    let mut recovery = RecoveryLog::new(PLENTY, 0);
    for time in 0..1000_u64 {
        recovery.store(packet("x", &[0], &[1], time));
    }
    let (old, _) = recovery.persist(session("old", &[2], 100));
    recovery.persist(session("new", &[3], 1000));
    assert_eq!(recovery.unused_rooms(), [0; 0]);
    assert_eq!(recovery.expire(900, 900), [old]);
    assert_eq!(recovery.packets().len(), 100);
    assert_eq!(recovery.unused_rooms(), [2]);
    assert_eq!(recovery.expire(u64::MAX, u64::MAX).len(), 1);
    assert!(recovery.is_empty());
    assert_eq!(recovery.unused_rooms(), [0, 1, 2, 3]);
    assert_eq!(recovery.packets().next(), 1000, "numbers are not used again");
}

#[test]
fn who_is_forgotten_does_not_come_back() {
    let mut recovery = RecoveryLog::<String>::new(PLENTY, 1);
    let (key, _) = recovery.persist(session("p", &[0], 10));
    assert_eq!(recovery.forget("q"), None);
    assert_eq!(recovery.forget("p"), Some(key));
    assert_eq!(recovery.forget("p"), None);
    assert!(recovery.restore("p", 0, 0).is_none());
    assert_eq!(recovery.unused_rooms(), [0]);
}

#[test]
fn the_last_packet_before_a_time_is_known() {
    let mut recovery = RecoveryLog::new(PLENTY, 1);
    assert_eq!(recovery.packets().last_before(5), 0, "none has been");
    for time in [10, 20, 20, 30] {
        recovery.store(packet("x", &[], &[], time));
    }
    for (time, last) in [(0, 0), (10, 0), (11, 1), (20, 1), (21, 3), (31, 4)] {
        assert_eq!(recovery.packets().last_before(time), last, "{time}");
    }
    recovery.expire(u64::MAX, 20);
    assert_eq!(recovery.packets().last_before(0), 1, "it has gone");
    // What was lost lately may need what was sent longer ago.
    recovery.persist(session("p", &[], 40));
    recovery.expire(35, 20);
    assert!(recovery.restore("p", 1, 35).is_some());
}

#[test]
fn what_is_kept_can_be_told_to_another_process() {
    let mut recovery = RecoveryLog::new(2 * (PACKET_OVERHEAD + 1), 5);
    assert_eq!(recovery.packets().first(), 5);
    for name in ["a", "b", "c"] {
        recovery.store(packet(name, &[], &[], 1));
    }
    assert_eq!((recovery.packets().first(), recovery.packets().next()), (6, 8));
    let mut recovery = RecoveryLog::<String>::new(PLENTY, 0);
    let (first, _) = recovery.persist(session("p", &[], 1));
    let (second, _) = recovery.persist(session("q", &[], 2));
    let lost: Vec<_> = recovery.sessions().iter().map(|(key, lost)| (key, &*lost.pid)).collect();
    assert_eq!(lost, [(first, "p"), (second, "q")]);
}
