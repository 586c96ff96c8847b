//! TLS of a connection: whatever way its bytes are cut, what is said comes through, whole and in order.
#![cfg(feature = "net")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod tls_support;

use std::io::{IoSlice, Read as _, Write as _};
use std::sync::Arc;

use ferrosocket::net::tls::TlsSession;
use ferrosocket::net::tls::config::{Context, Identity, TlsSettings, server_config};
use proptest::prelude::*;
use rustls::{ClientConnection, HandshakeKind, ServerConfig};

use tls_support::{client_config, dial, identity, settings};

/// What may wait that has been decrypted, beside what one call has brought.
const RECORD: usize = 16 << 10;

/// A client, a session, and the bytes that are under way between them.
struct Talk {
    client: ClientConnection,
    session: TlsSession,
    up: Vec<u8>,
    down: Vec<u8>,
    /// What the session has heard.
    heard: Vec<u8>,
    /// What the client has.
    received: Vec<u8>,
    /// Where it is waited for what the session says, and is not sealed.
    queue: Vec<u8>,
}

impl Talk {
    fn new(client: ClientConnection, config: &Arc<ServerConfig>) -> Self {
        let session = TlsSession::new(Arc::clone(config)).unwrap();
        let (up, down, heard, received, queue) = <_>::default();
        Self { client, session, up, down, heard, received, queue }
    }

    /// Moves up to so many bytes up, and what comes of them into a place of `room`, as a connection does.
    fn step_up(&mut self, most: usize, room: usize) {
        while self.client.wants_write() {
            self.client.write_tls(&mut self.up).unwrap();
        }
        let mut out = vec![0; room];
        let count = if self.session.has_seen() {
            self.session.take(&mut out)
        } else {
            let most = most.min(self.up.len());
            let came: Vec<u8> = self.up.drain(..most).collect();
            self.session.receive(&came, &mut out).unwrap()
        };
        self.heard.extend_from_slice(&out[..count]);
    }

    fn step_down(&mut self, most: usize) {
        if !self.queue.is_empty() && !self.session.wants_to_send() {
            let sealed = self.session.take_sealed();
            self.queue.drain(..sealed);
            if !self.queue.is_empty() {
                let (first, second) = self.queue.split_at(self.queue.len() / 3);
                assert!(self.session.seal(&[IoSlice::new(first), IoSlice::new(second)]));
            }
        }
        while self.session.wants_to_send() {
            self.session.send(&mut self.down).unwrap();
        }
        let most = most.min(self.down.len());
        let came: Vec<u8> = self.down.drain(..most).collect();
        let mut came = &came[..];
        while !came.is_empty() {
            self.client.read_tls(&mut came).unwrap();
            let state = self.client.process_new_packets().unwrap();
            let mut text = vec![0; state.plaintext_bytes_to_read()];
            self.client.reader().read_exact(&mut text).unwrap();
            self.received.append(&mut text);
        }
    }

    fn shake_hands(&mut self) {
        while self.session.is_handshaking() || self.client.is_handshaking() {
            self.step_up(usize::MAX, 0);
            self.step_down(usize::MAX);
        }
        self.step_down(usize::MAX);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Up { most: usize, room: usize },
    Down { most: usize },
    Ask(usize),
    Say(usize),
    NewKeys,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = || prop_oneof![1..40usize, 1..5000usize, 1..100_000usize];
    let step = prop_oneof![
        4 => (size(), size()).prop_map(|(most, room)| Step::Up { most, room }),
        4 => size().prop_map(|most| Step::Down { most }),
        2 => size().prop_map(Step::Ask),
        2 => size().prop_map(Step::Say),
        1 => Just(Step::NewKeys),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_said_comes_through_however_it_is_cut(tls13: bool, steps in steps()) {
        let mut talk = Talk::new(dial(&client_config(tls13)), &server_config(&settings()).unwrap());
        let (mut asked, mut said) = (Vec::new(), Vec::new());
        let mut byte = 0u8;
        let mut text = |length: usize| -> Vec<u8> {
            (0..length).map(|_| { byte = byte.wrapping_add(7); byte }).collect()
        };
        for step in steps {
            match step {
                Step::Up { most, room } => talk.step_up(most, room),
                Step::Down { most } => talk.step_down(most),
                Step::Ask(length) => {
                    let text = text(length);
                    // The client has bounds, too.
                    let count = talk.client.writer().write(&text).unwrap();
                    asked.extend_from_slice(&text[..count]);
                }
                Step::Say(length) if !talk.session.is_handshaking() => {
                    let text = text(length);
                    talk.queue.extend_from_slice(&text);
                    said.extend_from_slice(&text);
                }
                Step::NewKeys if tls13 && !talk.client.is_handshaking() => {
                    talk.client.refresh_traffic_keys().unwrap();
                }
                Step::Say(_) | Step::NewKeys => {}
            }
            prop_assert!(asked.starts_with(&talk.heard) && said.starts_with(&talk.received));
        }
        talk.shake_hands();
        while talk.heard.len() < asked.len() || talk.received.len() < said.len() {
            talk.step_up(30_000, 20_000);
            talk.step_down(30_000);
        }
        prop_assert!(talk.heard == asked && talk.received == said);
        prop_assert!(!talk.session.has_seen());
    }

    #[test]
    fn garbage_ends_it_and_grows_nothing(came in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut session = TlsSession::new(server_config(&settings()).unwrap()).unwrap();
        let _fault = session.receive(&came, &mut []);
        prop_assert!(session.is_handshaking() && !session.has_seen());
    }

    #[test]
    fn what_is_damaged_is_never_heard(at in 0..3000usize, bit in 0..8u8, tls13: bool) {
        let mut talk = Talk::new(dial(&client_config(tls13)), &server_config(&settings()).unwrap());
        talk.shake_hands();
        let text = vec![b'x'; 2900];
        talk.client.writer().write_all(&text).unwrap();
        talk.client.write_tls(&mut talk.up).unwrap();
        let at = at.min(talk.up.len() - 1);
        talk.up[at] ^= 1 << bit;
        let mut out = vec![0; 5000];
        let heard = talk.session.receive(&talk.up, &mut out);
        prop_assert!(matches!(heard, Err(_) | Ok(0)), "{heard:?}");
    }
}

#[test]
fn what_waits_is_bounded_by_what_has_come_at_once() {
    let mut talk = Talk::new(dial(&client_config(true)), &server_config(&settings()).unwrap());
    talk.shake_hands();
    for _ in 0..50 {
        talk.client.writer().write_all(&vec![b'x'; 60_000]).unwrap();
        while talk.client.wants_write() {
            talk.client.write_tls(&mut talk.up).unwrap();
        }
    }
    while !talk.up.is_empty() {
        let most = talk.up.len().min(32 << 10);
        let came: Vec<u8> = talk.up.drain(..most).collect();
        assert_eq!(talk.session.receive(&came, &mut []), Ok(0));
        let mut waits = vec![0; 1 << 20];
        let count = talk.session.take(&mut waits);
        assert!(count <= most + RECORD, "{count}");
        assert!(!talk.session.has_seen());
    }
}

#[test]
fn the_end_is_announced_and_understood() {
    let mut talk = Talk::new(dial(&client_config(true)), &server_config(&settings()).unwrap());
    talk.shake_hands();
    assert!(!talk.session.peer_is_closed());
    talk.client.writer().write_all(b"last").unwrap();
    talk.client.send_close_notify();
    talk.step_up(usize::MAX, 100);
    assert!(talk.session.peer_is_closed());
    assert_eq!(talk.heard, b"last");
    talk.session.close();
    talk.session.close();
    talk.step_down(usize::MAX);
    assert_eq!(talk.client.reader().read(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn who_comes_again_goes_on_with_the_keys_of_before() {
    let config = server_config(&settings()).unwrap();
    for tls13 in [true, false] {
        let client = client_config(tls13);
        for is_resumed in [false, true] {
            let mut talk = Talk::new(dial(&client), &config);
            talk.shake_hands();
            let kind = talk.client.handshake_kind().unwrap();
            assert_eq!(kind == HandshakeKind::Resumed, is_resumed);
            let details = talk.session.details();
            assert_eq!(details.is_resumed, is_resumed);
            assert_eq!(details.identity, 7);
            assert_eq!(details.version, if tls13 { "TLSv1.3" } else { "TLSv1.2" });
            assert_eq!(details.alpn.as_deref(), Some("http/1.1"));
            assert_eq!(details.server_name.as_deref(), Some("a.example"));
            assert_eq!(details.to_string().split(' ').count(), 7);
        }
        // New settings draw new keys.
        let mut talk = Talk::new(dial(&client), &server_config(&settings()).unwrap());
        talk.shake_hands();
        assert!(!talk.session.details().is_resumed);
    }
}

#[test]
fn a_name_has_its_own_certificate() {
    let other = Context { pattern: "*.example".into(), identities: Vec::new() };
    let config = server_config(&TlsSettings { contexts: vec![other], ..settings() }).unwrap();
    let mut talk = Talk::new(dial(&client_config(true)), &config);
    talk.client.write_tls(&mut talk.up).unwrap();
    // There is none for it, which shows that it has been looked for.
    assert!(talk.session.receive(&talk.up, &mut []).is_err());
    let name = "b.other".try_into().unwrap();
    let client = ClientConnection::new(client_config(true), name).unwrap();
    Talk::new(client, &config).shake_hands();
}

#[test]
fn a_key_that_is_none_and_one_of_another_certificate_are_named() {
    let settings = |identity| TlsSettings { identities: vec![identity], ..settings() };
    let none = Identity { key: vec![1, 2, 3], ..identity() };
    let fault = server_config(&settings(none)).unwrap_err().to_string();
    assert!(fault.starts_with("key of "), "{fault}");
    let empty = Identity { chain: Vec::new(), ..identity() };
    let fault = server_config(&settings(empty)).unwrap_err().to_string();
    assert!(fault.starts_with("cert of "), "{fault}");
}
