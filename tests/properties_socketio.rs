//! The decoder faced with anything, and the rooms against a plain model.

use std::collections::{BTreeMap, BTreeSet};

use ferrosocket::id::{Handle, Slot};
use ferrosocket::socketio::packet::decode;
use ferrosocket::socketio::{
    AttachmentLimits, Decoder, LongStringSpans, Packet, PacketType, RoomId, Rooms, Target, Targets,
};
use proptest::prelude::*;

const WORKERS: usize = 3;

/// Texts of the characters that mean something in a packet.
fn packet_like() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{0,3}-?(/[a-z?,]{0,4})?[0-9]{0,2} ?[\\[\\]{}\",:\\\\u0-9a-e. \n-]{0,20}",
        "[2356](1-)?\\[\"[a-z\\\\u0é]{0,8}\"(,[0-9]{1,3}){0,3}\\]",
        "\\PC{0,40}",
        any::<String>(),
    ]
}

fn kind() -> impl Strategy<Value = PacketType> {
    prop::sample::select(vec![
        PacketType::Event,
        PacketType::Ack,
        PacketType::BinaryEvent,
        PacketType::BinaryAck,
    ])
}

#[derive(Clone, Debug)]
enum Step {
    Join(RoomId, Handle),
    Leave(RoomId, Handle),
    Hold(Vec<Target>, Vec<Target>),
}

fn handle_of(worker: usize, slot: Slot) -> Handle {
    Handle::new(worker, slot.index as usize).of_generation(slot.generation)
}

fn handle() -> impl Strategy<Value = Handle> {
    (0..WORKERS, 0..40_usize).prop_map(|(worker, slot)| Handle::new(worker, slot))
}

fn targets(most: usize) -> impl Strategy<Value = Vec<Target>> {
    let one = prop_oneof![(0..4_u64).prop_map(Target::Room), handle().prop_map(Target::Socket)];
    prop::collection::vec(one, 0..most)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_u64, handle()).prop_map(|(room, handle)| Step::Join(room, handle)),
        4 => (0..3_u64, handle()).prop_map(|(room, handle)| Step::Leave(room, handle)),
        1 => (targets(4), targets(7)).prop_map(|(to, except)| Step::Hold(to, except)),
        1 => (0..3_u64, targets(3))
            .prop_map(|(room, except)| Step::Hold(vec![Target::Room(room)], except)),
    ]
}

type Model = BTreeMap<RoomId, BTreeSet<Handle>>;

fn expected(model: &Model, to: &[Target], except: &[Target]) -> BTreeSet<Handle> {
    let named = |targets: &[Target]| -> BTreeSet<Handle> {
        let each = targets.iter().flat_map(|target| match target {
            Target::Room(room) => model.get(room).cloned().unwrap_or_default(),
            Target::Socket(handle) => BTreeSet::from([*handle]),
        });
        each.collect()
    };
    &named(to) - &named(except)
}

/// Everyone whom `targets` reaches, twice if twice.
fn reached(targets: &Targets) -> Vec<Handle> {
    let mut all: Vec<_> = targets
        .groups
        .iter()
        .flat_map(|(worker, group)| group.iter().map(|slot| handle_of(*worker, slot)))
        .collect();
    all.sort_unstable();
    all
}

proptest! {
    #[test]
    fn decoding_any_text_never_panics(text in packet_like()) {
        if let Ok(packet) = decode(&text) {
            // What it says can be told from the text, and its parts are fit to be written again.
            prop_assert!(packet.id.is_none_or(|id| id == "0" || !id.starts_with('0')));
            prop_assert!(packet.namespace.starts_with('/'));
            prop_assert_eq!(packet.attachments > 0, packet.kind.is_binary());
        }
    }

    #[test]
    fn an_encoded_packet_reads_back(
        kind in kind(),
        attachments in 1..=10_u32,
        namespace in prop_oneof![Just("/".to_owned()), "/[a-z/?=é ]{1,10}"],
        id in prop::option::of(any::<u64>()),
        name in "[A-Z]\\PC{0,12}",
        argument in any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()),
    ) {
        let payload = serde_json::to_string(&(name, argument)).unwrap();
        let attachments = if kind.is_binary() { attachments } else { 0 };
        let id = id.map(|id| id.to_string());
        let text = [
            (kind as u8).to_string(),
            if kind.is_binary() { format!("{attachments}-") } else { String::new() },
            if namespace == "/" { String::new() } else { format!("{namespace},") },
            id.clone().unwrap_or_default(),
            payload.clone(),
        ]
        .concat();
        let packet = Packet {
            kind,
            attachments,
            namespace: &namespace,
            id: id.as_deref(),
            payload: Some(&payload),
            strings: LongStringSpans::NONE,
        };
        prop_assert_eq!(decode(&text), Ok(packet));
    }

    /// Another process goes on where a decoder has been left, in the middle of a packet.
    #[test]
    fn a_decoder_is_brought_to_where_another_one_is(
        is_ack: bool,
        namespace in prop_oneof![Just(String::new()), "/[a-z/?=é ]{1,10},"],
        id in prop_oneof![Just(String::new()), any::<u64>().prop_map(|id| id.to_string())],
        attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 1..5),
        come in any::<prop::sample::Index>(),
        long in 0..2000_usize,
    ) {
        let (kind, name) = if is_ack { (6, "") } else { (5, "\"a\",") };
        let id = if is_ack && id.is_empty() { "1".to_owned() } else { id };
        let long = "x".repeat(long);
        let count = attachments.len();
        let text = format!("{kind}{count}-{namespace}{id}[{name}\"{long}\"]");
        let come = come.index(count);
        let limits = AttachmentLimits::default();
        let mut decoder = Decoder::new();
        decoder.handle_text(0, &limits, &text).unwrap();
        for bytes in &attachments[..come] {
            prop_assert_eq!(decoder.handle_binary(0, bytes), Ok(None));
        }
        let mut whole = Decoder::new();
        whole.handle_text(0, &limits, &text).unwrap();
        let (replayed, had) = decoder.replay().unwrap();
        prop_assert!(!decoder.is_pending());
        let mut other = Decoder::new();
        other.handle_text(0, &limits, &replayed).unwrap();
        for bytes in had.iter().chain(&attachments[come..count - 1]) {
            prop_assert_eq!(other.handle_binary(0, bytes), Ok(None));
        }
        for bytes in &attachments[..count - 1] {
            prop_assert_eq!(whole.handle_binary(0, bytes), Ok(None));
        }
        let last = &attachments[count - 1];
        let got = other.handle_binary(0, last).unwrap();
        prop_assert!(got.is_some());
        prop_assert_eq!(got, whole.handle_binary(0, last).unwrap());
    }

    #[test]
    fn any_sequence_keeps_the_decoder_within_bounds(
        steps in prop::collection::vec((0..5_u8, 0..12_000_u64, packet_like()), 0..40),
    ) {
        let mut decoder = Decoder::new();
        let limits = AttachmentLimits::default();
        let mut now = 0;
        for (step, elapsed, text) in steps {
            now += elapsed;
            let ended = match step {
                0 => decoder.handle_text(now, &limits, &text).is_err(),
                1 => decoder.handle_text(now, &limits, "52-[\"a\"]").is_err(),
                2 => decoder.handle_binary(now, text.as_bytes()).is_err(),
                3 => { decoder.handle_progress(now); false }
                _ => decoder.handle_timeout(now).is_err(),
            };
            prop_assert_eq!(decoder.poll_timeout().is_some(), decoder.is_pending());
            if ended {
                prop_assert!(!decoder.is_pending());
            }
        }
    }

    #[test]
    fn rooms_equal_a_model(steps in prop::collection::vec(step(), 0..200)) {
        let mut rooms = Rooms::new(WORKERS);
        let mut model = Model::new();
        let mut held = Vec::new();
        for step in steps {
            match step {
                Step::Join(room, handle) => {
                    rooms.join(room, handle);
                    model.entry(room).or_default().insert(handle);
                }
                Step::Leave(room, handle) => {
                    rooms.leave(room, handle);
                    if let Some(members) = model.get_mut(&room) {
                        members.remove(&handle);
                    }
                    model.retain(|_, members| !members.is_empty());
                }
                Step::Hold(to, except) => {
                    held.push((rooms.targets(&to, &except), expected(&model, &to, &except)));
                }
            }
            prop_assert_eq!(rooms.len(), model.len());
            for (room, members) in &model {
                prop_assert_eq!(rooms.room_len(*room), members.len());
            }
        }
        // Checked at the end: a snapshot must not have changed under its holder.
        for (targets, members) in held {
            prop_assert_eq!(reached(&targets), Vec::from_iter(members));
            prop_assert!(targets.groups.iter().all(|(_, group)| group.iter().next().is_some()));
            prop_assert!(targets.groups.is_sorted_by_key(|(worker, _)| *worker));
        }
    }
}
