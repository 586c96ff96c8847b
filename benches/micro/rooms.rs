//! Who is in which room, and whom a broadcast reaches.

use std::hint::black_box;

use ferrosocket::id::Handle;
use ferrosocket::socketio::rooms::RoomId;
use ferrosocket::socketio::{Rooms, Target};

use crate::harness::Suite;

const WORKERS: usize = 2;
/// A client that comes and goes.
const GUEST: usize = 1 << 20;

pub(crate) fn cases(suite: &mut Suite) {
    for members in [10, 10_000] {
        let mut rooms = filled(&[(0, 0..members)]);
        suite.case(format!("rooms: join and leave a room of {members}"), move || {
            rooms.join(black_box(0), handle(GUEST));
            rooms.leave(black_box(0), handle(GUEST));
        });
    }
    let mut rooms = Rooms::new(WORKERS);
    suite.case("rooms: join and leave a room of nobody else", move || {
        rooms.join(black_box(0), handle(GUEST));
        rooms.leave(black_box(0), handle(GUEST));
    });
    let mut rooms = filled(&[(0, 0..1000)]);
    suite.case("rooms: join and leave a room of 1000 while a worker reads it", move || {
        let reading = rooms.targets(&[Target::Room(0)], &[]);
        rooms.join(black_box(0), handle(GUEST));
        drop(reading);
        rooms.leave(black_box(0), handle(GUEST));
    });

    let (room, all) = (Target::Room(0), [0, 1, 2, 3].map(Target::Room));
    targets(suite, "rooms: targets, a room of 1000", &[room], &[]);
    targets(suite, "rooms: targets, a room of 1000 without one socket", &[room], &[socket(5)]);
    targets(suite, "rooms: targets, a room of 1000 without a room of 1000", &[room], &[all[1]]);
    targets(suite, "rooms: targets, four rooms of 1000 that overlap by half", &all, &[]);
    targets(suite, "rooms: targets, three sockets", &[socket(1), socket(2), socket(3)], &[]);

    let rooms = four_rooms();
    let snapshot = rooms.targets(&[room], &[socket(5)]);
    suite.batch("rooms: visit one of 1000 targets", 1000, move || {
        let slots = snapshot.groups.iter().flat_map(|(_, group)| group.iter());
        slots.fold(0, |sum: u32, slot| sum.wrapping_add(slot.index))
    });
}

/// The client `n`; workers take turns.
fn handle(n: usize) -> Handle {
    Handle::new(n % WORKERS, n / WORKERS)
}

fn socket(n: usize) -> Target {
    Target::Socket(handle(n))
}

fn filled(members: &[(RoomId, std::ops::Range<usize>)]) -> Rooms {
    let mut rooms = Rooms::new(WORKERS);
    for (room, clients) in members {
        for client in clients.clone() {
            rooms.join(*room, handle(client));
        }
    }
    rooms
}

fn four_rooms() -> Rooms {
    filled(&[(0, 0..1000), (1, 500..1500), (2, 1000..2000), (3, 1500..2500)])
}

fn targets(suite: &mut Suite, name: &str, to: &[Target], except: &[Target]) {
    let (rooms, to, except) = (four_rooms(), to.to_vec(), except.to_vec());
    suite.case(name, move || rooms.targets(black_box(&to), black_box(&except)));
}
