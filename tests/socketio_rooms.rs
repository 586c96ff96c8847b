//! Whom a broadcast reaches.

use std::collections::BTreeSet;
use std::sync::Arc;

use ferrosocket::id::{Handle, Slot};
use ferrosocket::socketio::{Rooms, Target, Targets};

const WORKERS: usize = 2;
const ROOM: Target = Target::Room(1);

/// Sockets 0.. in turn on the workers.
fn socket(number: usize) -> Handle {
    Handle::new(number % WORKERS, number / WORKERS)
}

/// A room 1 of sockets `0..members`.
fn filled(members: usize) -> Rooms {
    let mut rooms = Rooms::new(WORKERS);
    (0..members).for_each(|number| assert!(rooms.join(1, socket(number))));
    rooms
}

fn reached(targets: &Targets) -> BTreeSet<(usize, Slot)> {
    let all: Vec<_> = targets
        .groups
        .iter()
        .flat_map(|(worker, group)| group.iter().map(move |slot| (*worker, slot)))
        .collect();
    let distinct: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(all.len(), distinct.len(), "a socket gets one copy");
    distinct
}

fn sockets(numbers: impl IntoIterator<Item = usize>) -> BTreeSet<(usize, Slot)> {
    numbers.into_iter().map(socket).map(|handle| (handle.worker(), handle.slot())).collect()
}

#[test]
fn a_room_reaches_its_members_on_every_worker() {
    let targets = filled(5).targets(&[ROOM], &[]);
    assert_eq!(reached(&targets), sockets(0..5));
    assert_eq!(targets.len(), 5);
    assert_eq!(targets.groups.iter().map(|(worker, _)| *worker).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_worker_without_a_member_is_not_told() {
    let mut rooms = Rooms::new(WORKERS);
    rooms.join(1, Handle::new(1, 7));
    let targets = rooms.targets(&[ROOM], &[]);
    assert_eq!(targets.groups.len(), 1);
    assert_eq!(targets.groups[0].0, 1);
}

#[test]
fn nobody_is_reached_by_no_target_or_an_unknown_room() {
    let rooms = filled(3);
    assert!(rooms.targets(&[], &[]).is_empty());
    assert!(rooms.targets(&[], &[ROOM]).is_empty());
    assert!(rooms.targets(&[Target::Room(9)], &[]).is_empty());
    assert!(rooms.targets(&[Target::Room(8), Target::Room(9)], &[]).is_empty());
}

#[test]
fn joining_twice_and_leaving_when_absent_change_nothing() {
    for members in [1, 3, 60] {
        let mut rooms = filled(members);
        rooms.join(1, socket(0));
        rooms.leave(1, socket(members));
        rooms.leave(9, socket(0));
        assert_eq!(rooms.room_len(1), members);
        assert_eq!(reached(&rooms.targets(&[ROOM], &[])), sockets(0..members));
    }
}

#[test]
fn an_empty_room_vanishes() {
    let mut rooms = filled(50);
    assert_eq!(rooms.len(), 1);
    for number in 0..50 {
        assert!(rooms.contains(1, socket(number)));
        rooms.leave(1, socket(number));
        assert!(!rooms.contains(1, socket(number)));
    }
    assert!(rooms.is_empty());
    assert!(rooms.targets(&[ROOM], &[]).is_empty());
}

#[test]
fn one_room_is_a_snapshot_without_a_copy() {
    let rooms = filled(1000);
    let first = rooms.targets(&[ROOM], &[]);
    let again = rooms.targets(&[ROOM], &[Target::Socket(socket(3)), Target::Room(9)]);
    for ((_, one), (_, other)) in first.groups.iter().zip(&again.groups) {
        assert!(Arc::ptr_eq(&one.members, &other.members));
    }
    assert_eq!(reached(&again), sockets((0..1000).filter(|number| *number != 3)));
    assert_eq!(again.len(), 1000);
}

#[test]
fn targets_are_fixed_when_they_are_made() {
    let mut rooms = filled(40);
    let before = rooms.targets(&[ROOM], &[]);
    rooms.leave(1, socket(0));
    rooms.join(1, socket(99));
    assert_eq!(reached(&before), sockets(0..40));
    assert_eq!(reached(&rooms.targets(&[ROOM], &[])), sockets((1..40).chain([99])));
}

/// CVE-2020-36406's neighbourhood: who disconnects from many rooms during a publish.
#[test]
fn leaving_thousands_of_rooms_under_a_held_snapshot_is_safe() {
    let mut rooms = Rooms::new(WORKERS);
    for room in 0..5000 {
        rooms.join(room, socket(0));
        rooms.join(room, socket(1));
    }
    let all: Vec<_> = (0..5000).map(Target::Room).collect();
    let held: Vec<_> = (0..5000).map(|room| rooms.targets(&[Target::Room(room)], &[])).collect();
    let union = rooms.targets(&all, &[]);
    for room in 0..5000 {
        rooms.leave(room, socket(0));
    }
    assert!(held.iter().all(|targets| reached(targets) == sockets([0, 1])));
    assert_eq!(reached(&union), sockets([0, 1]));
    assert_eq!(reached(&rooms.targets(&all, &[])), sockets([1]));
}

#[test]
fn a_socket_in_two_rooms_gets_one_copy() {
    let mut rooms = filled(100);
    (50..150).for_each(|number| assert!(rooms.join(2, socket(number))));
    let targets = rooms.targets(&[ROOM, Target::Room(2), ROOM, Target::Socket(socket(7))], &[]);
    assert_eq!(reached(&targets), sockets(0..150));
    assert_eq!(targets.len(), 150);
}

#[test]
fn excepted_rooms_and_sockets_are_left_out() {
    let mut rooms = filled(100);
    (50..150).for_each(|number| assert!(rooms.join(2, socket(number))));
    let targets = rooms.targets(&[ROOM], &[Target::Room(2), Target::Socket(socket(0))]);
    assert_eq!(reached(&targets), sockets(1..50));
    let many: Vec<_> = (0..5).map(|number| Target::Socket(socket(number))).collect();
    assert_eq!(reached(&rooms.targets(&[ROOM], &many)), sockets(5..100));
}

#[test]
fn a_room_whose_members_are_all_excepted_reaches_nobody() {
    let except: Vec<_> = (0..3).map(|number| Target::Socket(socket(number))).collect();
    assert!(filled(3).targets(&[ROOM], &except).is_empty());
    assert!(filled(3).targets(&[ROOM], &[ROOM]).is_empty());
}

#[test]
fn a_named_socket_is_reached_in_no_room_at_all() {
    let rooms = Rooms::new(WORKERS);
    let one = Target::Socket(socket(70_000));
    assert_eq!(reached(&rooms.targets(&[one], &[])), sockets([70_000]));
    assert!(rooms.targets(&[one], &[one]).is_empty());
}

#[test]
fn another_generation_is_another_socket() {
    let (first, second) = (socket(0).of_generation(1), socket(0).of_generation(2));
    for others in [0, 40] {
        let mut rooms = filled(others + 1);
        rooms.leave(1, socket(0));
        assert!(rooms.join(1, first) && !rooms.join(1, first));
        assert!(rooms.contains(1, first) && !rooms.contains(1, second));
        assert!(!rooms.leave(1, second), "it is not there");
        assert_eq!(rooms.room_len(1), others + 1);
        assert_eq!(reached(&rooms.targets(&[ROOM], &[Target::Socket(second)])).len(), others + 1);
        assert_eq!(reached(&rooms.targets(&[ROOM], &[Target::Socket(first)])).len(), others);
        assert!(rooms.join(1, second), "it takes the place of the one before");
        assert!(rooms.contains(1, second) && !rooms.contains(1, first));
        assert_eq!(rooms.room_len(1), others + 1);
        assert!(rooms.leave(1, second));
        assert_eq!(rooms.room_len(1), others);
    }
}

#[test]
fn a_socket_leaves_all_rooms_at_once() {
    let mut rooms = filled(20);
    let guest = socket(30).of_generation(5);
    for room in 1..=3 {
        rooms.join(room, guest);
    }
    assert_eq!(rooms.leave_all(guest.of_generation(4)), 0);
    assert_eq!(rooms.leave_all(guest), 3);
    assert_eq!((rooms.len(), rooms.room_len(1)), (1, 20));
    assert_eq!(rooms.leave_all(guest), 0);
}
