//! Connection state recovery against a model that keeps everything in plain lists.

use std::rc::Rc;

use ferrosocket::socketio::RecoveryLog;
use ferrosocket::socketio::recovery_log::lost_sessions::{
    LostSession, SESSION_OVERHEAD, SessionKey,
};
use ferrosocket::socketio::recovery_log::packets::{PACKET_OVERHEAD, StoredPacket};
use proptest::prelude::*;

const MAX_BYTES: usize = 5 * (PACKET_OVERHEAD + 20);
const ROOMS: u32 = 5;
const PIDS: u8 = 12;

#[derive(Clone, Debug)]
enum Step {
    Store { rooms: Vec<u32>, except: Vec<u32>, size: usize },
    Persist { pid: u8, rooms: Vec<u32>, size: usize },
    Restore { pid: u8, last: u64, age: u64 },
    Wait(u64),
    Expire { age: u64 },
}

fn rooms() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..ROOMS, 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (rooms(), rooms(), 0..60_usize)
            .prop_map(|(rooms, except, size)| Step::Store { rooms, except, size }),
        2 => (0..PIDS, rooms(), 0..100_usize)
            .prop_map(|(pid, rooms, size)| Step::Persist { pid, rooms, size }),
        4 => (0..PIDS, 0..50_u64, 0..20_u64)
            .prop_map(|(pid, last, age)| Step::Restore { pid, last, age }),
        2 => (0..5_u64).prop_map(Step::Wait),
        1 => (0..20_u64).prop_map(|age| Step::Expire { age }),
    ]
}

/// All packets ever, and which is the first that is kept; the sessions that are kept.
#[derive(Default)]
struct Model {
    packets: Vec<(u64, Vec<u32>, Vec<u32>, usize)>,
    first: usize,
    sessions: Vec<(SessionKey, u8, Vec<u32>, u64, usize)>,
}

impl Model {
    fn trim(&mut self) {
        let bytes = |packets: &[(u64, Vec<u32>, Vec<u32>, usize)]| -> usize {
            packets.iter().map(|packet| PACKET_OVERHEAD + packet.3).sum()
        };
        while bytes(&self.packets[self.first..]) > MAX_BYTES {
            self.first += 1;
        }
        while self.sessions.iter().map(|session| SESSION_OVERHEAD + session.4).sum::<usize>()
            > MAX_BYTES
        {
            self.sessions.remove(0);
        }
    }

    fn expire(&mut self, oldest: u64) {
        while self.packets.get(self.first).is_some_and(|packet| packet.0 < oldest) {
            self.first += 1;
        }
        self.sessions.retain(|session| session.3 >= oldest);
    }

    /// The numbers of the packets that the session has missed.
    fn missed(&self, key: SessionKey, last: u64) -> Option<Vec<usize>> {
        let rooms = &self.sessions.iter().find(|session| session.0 == key)?.2;
        let from = usize::try_from(last).expect("the test counts to 50") + 1;
        if from < self.first || from > self.packets.len() {
            return None;
        }
        let concerns = |number: &usize| {
            let (_, to, except, _) = &self.packets[*number];
            (to.is_empty() || rooms.iter().any(|room| to.contains(room)))
                && rooms.iter().all(|room| !except.contains(room))
        };
        Some((from..self.packets.len()).filter(concerns).collect())
    }

    fn uses(&self, room: u32) -> bool {
        let named = |rooms: &Vec<u32>| rooms.contains(&room);
        self.packets[self.first..].iter().any(|packet| named(&packet.1) || named(&packet.2))
            || self.sessions.iter().any(|session| named(&session.2))
    }

    fn keys(&self) -> Vec<SessionKey> {
        self.sessions.iter().map(|session| session.0).collect()
    }
}

fn compare(recovery: &RecoveryLog<usize>, model: &Model) {
    assert_eq!(recovery.packets().next(), model.packets.len() as u64);
    assert_eq!(recovery.packets().len(), model.packets.len() - model.first);
    assert_eq!(recovery.sessions().len(), model.sessions.len());
    assert!(recovery.packets().bytes() <= MAX_BYTES && recovery.sessions().bytes() <= MAX_BYTES);
    let unused = recovery.unused_rooms();
    for room in 0..ROOMS {
        assert!(!(unused.contains(&room) && model.uses(room)), "room {room} is in use");
    }
}

proptest! {
    #[test]
    fn recovery_does_as_the_model(steps in prop::collection::vec(step(), 1..120)) {
        let mut recovery = RecoveryLog::new(MAX_BYTES, 0);
        let mut model = Model::default();
        let mut now = 100;
        for step in steps {
            match step {
                Step::Store { rooms, except, size } => {
                    let messages = model.packets.len();
                    recovery.store(StoredPacket {
                        time: now,
                        rooms: rooms.clone().into(),
                        except: except.clone().into(),
                        messages,
                        size,
                    });
                    model.packets.push((now, rooms, except, size));
                    model.trim();
                }
                Step::Persist { pid, rooms, size } => {
                    let before = model.keys();
                    let (key, forgotten) = recovery.persist(LostSession {
                        pid: Rc::from(pid.to_string()),
                        socket_id: pid.to_string().into(),
                        rooms: rooms.clone().into(),
                        lost_at: now,
                        size,
                    });
                    model.sessions.retain(|session| session.1 != pid);
                    model.sessions.push((key, pid, rooms, now, size));
                    model.trim();
                    let left = model.keys();
                    let gone = before.iter().filter(|key| !left.contains(key));
                    prop_assert_eq!(gone.count(), forgotten.len());
                    prop_assert!(forgotten.iter().all(|key| !left.contains(key)));
                }
                Step::Restore { pid, last, age } => {
                    let oldest = now - age;
                    let session = model.sessions.iter().find(|s| s.1 == pid && s.3 >= oldest);
                    let expected = session.and_then(|session| model.missed(session.0, last));
                    let found = recovery.restore(&pid.to_string(), last, oldest);
                    let missed = found.and_then(|(key, _)| recovery.missed(key, last));
                    prop_assert_eq!(missed.map(|missed| missed.copied().collect()), expected);
                }
                Step::Wait(time) => now += time,
                Step::Expire { age } => {
                    let before = model.keys();
                    model.expire(now - age);
                    let left = model.keys();
                    let gone: Vec<_> = before.into_iter().filter(|key| !left.contains(key)).collect();
                    prop_assert_eq!(recovery.expire(now - age, now - age), gone);
                }
            }
            compare(&recovery, &model);
        }
        recovery.expire(u64::MAX, u64::MAX);
        prop_assert!(recovery.is_empty());
        prop_assert_eq!(recovery.packets().bytes() + recovery.sessions().bytes(), 0);
    }
}
