//! What fuzzing begins with: a few inputs of each target that are as they should be.

use std::path::Path;
use std::{env, fs};

use ferrosocket::engineio::{
    CarriedBeat, CarriedPacket, CarriedPolling, CarriedSession, OutMessage, Protocol,
};
use ferrosocket::handover::{HandedSession, Message};
use ferrosocket::id::Sid;

/// Names the directory to write seeds to.
const DIRECTORY: &str = "FUZZ_SEEDS";

const HTTP_REQUESTS: [&str; 4] = [
    "GET /socket.io/?EIO=4&transport=polling&t=a&sid=s HTTP/1.1\r\nHost: a\r\n\
             Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n",
    "POST /socket.io/?EIO=3&transport=polling&sid=s&b64=1 HTTP/1.1\r\nhost: a\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\nabc",
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET /socket.io/?a=b&sid=s&transport=websocket&EIO=4 HTTP/1.1\r\nhost:a\r\n\
     connection:keep-alive, Upgrade\r\nupgrade:websocket\r\nsec-websocket-version:13\r\n\
     sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\norigin:null\r\n\r\n\x01",
];

/// Bytes of a client's frame whose mask changes nothing, of at most 125 bytes; `first` is its first
/// byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("seeds are short");
    [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
}

/// Bytes behind one that holds their number.
fn piece(bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).expect("seeds are short");
    [&[len], bytes].concat()
}

fn concat(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

/// Writes the seeds of a target into the directory that the environment variable `FUZZ_SEEDS` names,
/// if it is there. A fuzzer calls it before it reads its corpus.
///
/// # Panics
/// When they can't be written.
pub fn write(target: &str) {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    for (number, seed) in seeds(target).iter().enumerate() {
        let file = Path::new(&directory).join(format!("seed-{number}"));
        fs::write(file, seed).expect("the directory can be written to");
    }
}

/// The seeds of a target; none when there is no such target.
#[expect(clippy::too_many_lines, reason = "an arm for each target")]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "redis_message" => redis_messages(),
        "redis_frames" => redis_frames(),
        "handover" => handovers(),
        "websocket" => vec![
            concat(&[vec![3], frame(0x81, b"2probe"), frame(0x89, b"hi"), frame(0x88, &[3, 232])]),
            concat(&[vec![0], frame(0x02, b"a"), frame(0x89, b""), frame(0x80, b"b")]),
            [&[7, 0x82, 0xfe, 0, 200, 1, 2, 3, 4][..], &[9; 200]].concat(),
            [&[7, 0x82, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 4][..], &[9; 256]].concat(),
        ],
        "websocket_deflate" => vec![
            concat(&[vec![2, 7], frame(0xc1, HELLO), frame(0xc1, HELLO), frame(0x81, b"42")]),
            concat(&[vec![0, 15], frame(0x41, &HELLO[..4]), frame(0x80, &HELLO[4..])]),
            concat(&[vec![9, 0], frame(0xc2, &[0x03, 0x00]), frame(0xc1, &[0])]),
        ],
        "deflate_round_trip" => vec![
            concat(&[vec![7, 6, 0, 200], piece(b"hello"), vec![0, 0], piece(b"hello again")]),
            concat(&[vec![0, 9, 1, 255], piece(b"abcdefghijklmnopqrstuvwxyz")]),
            concat(&[vec![8, 0, 0, 3], piece(b""), vec![0, 1], piece(b"x")]),
        ],
        "handshake" => vec![
            concat(&[
                vec![15],
                piece(b"WebSocket"),
                piece(b"dGhlIHNhbXBsZSBub25jZQ=="),
                piece(b"13"),
                piece(b"chat, superchat"),
                piece(b"GET"),
            ]),
            concat(&[vec![8, 0, 0, 0], piece(b"a,\tb"), piece(b"")]),
        ],
        "extension" => [
            "permessage-deflate; client_max_window_bits",
            "foo; bar=\"a\\\"b\", permessage-deflate; server_max_window_bits=10; \
             client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits=\"8\" , permessage-deflate",
        ]
        .iter()
        .flat_map(|offer| [[0, 0, 0], [7, 0, 1], [4, 4, 5]].map(|settings| (settings, offer)))
        .map(|(settings, offer)| [&settings, offer.as_bytes()].concat())
        .collect(),
        "http_request" | "http_upgrade" => texts(&HTTP_REQUESTS),
        "forwarded" => texts(&[
            "X-Forwarded-For\n1.2.3.4, 10.0.0.2\nhost\na",
            "forwarded\nfor=\"[2001:db8::1]:80\";proto=https, for=10.0.0.2",
            "for=1.2.3.4;by=_a",
        ]),
        "proxy_protocol" => vec![
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51\x04\0\0".to_vec(),
            b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(),
        ],
        "payload" => texts(&["4hello\u{1e}2\u{1e}4€", "bAQIDBA==\u{1e}3", "40\u{1e}42[\"a\"]"]),
        "payload_v3" => [
            texts(&["6:4hello2:4€10:b4AQIDBA==", "1:2", "3:4\u{1f600}"]),
            vec![
                b"\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04".to_vec(),
                b"\x00\x01\x00\xff4123456789".to_vec(),
            ],
        ]
        .concat(),
        "session" => vec![
            concat(&[b"\0gpb".to_vec(), piece("2\u{1e}4x".as_bytes()), b"m\xedfgT".to_vec()]),
            concat(&[
                b"\0gog\xf7".to_vec(),
                piece(b"2probe"),
                vec![0xf7],
                piece(b"5"),
                b"mf".to_vec(),
            ]),
            concat(&[b"\x02gpb".to_vec(), piece(b"1:23:4ab"), b"mfgt\xff".to_vec()]),
            concat(&[b"\x02gp\xe2".to_vec(), piece(b"\x00\x02\xff4a"), b"x".to_vec()]),
            concat(&[b"\x0agpb".to_vec(), piece(b"d=3%3A4%C3%A9%5Cn"), b"mfg".to_vec()]),
            concat(&[
                b"\x01wTB".to_vec(),
                piece(&[1, 2]),
                b"w".to_vec(),
                piece(b"3"),
                b"x".to_vec(),
            ]),
            concat(&[
                b"\x03B".to_vec(),
                piece(&[4, 2]),
                b"w".to_vec(),
                piece(b"2"),
                b"dTc".to_vec(),
            ]),
        ],
        "socketio_packet" => texts(&[
            "0",
            "0/admin?a=b,{\"token\":\"x\"}",
            "1/admin,",
            "2[\"a\",1,{\"b\":[null,true,-1.5e3]}]",
            "2/admin,12[\"\\u0063onnected\",\"\\ud83d\\ude00\"]",
            "3/admin,12[]",
            "4{\"message\":\"no\"}",
            "51-[\"a\",{\"_placeholder\":true,\"num\":0}]",
            "62-/admin,7[{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]",
        ]),
        "socketio_decoder" => vec![
            concat(&[
                vec![0],
                piece(b"52-[\"a\",{\"_placeholder\":true,\"num\":0}]"),
                vec![1],
                piece(&[1, 2]),
                vec![3, 4, 50, 2],
                piece(&[3]),
            ]),
            concat(&[vec![0], piece(b"2[\"a\"]"), vec![0], piece(b"61-[]"), vec![4, 255]]),
            concat(&[vec![0], piece(b"51-[\"a\"]"), vec![1], vec![255], vec![0; 255], vec![1]]),
        ],
        _ => Vec::new(),
    }
}

/// `42["hello","hello"]`, compressed.
const HELLO: &[u8] =
    &[0x32, 0x31, 0x8a, 0x56, 0xca, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xd2, 0x81, 0x51, 0xb1, 0x00];

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Messages of nodes of both kinds.
fn redis_frames() -> Vec<Vec<u8>> {
    let all = b"\x07%1\r\n+proto\r\n:3\r\n>3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n\
        >4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nab\r\n$3\r\n\r\n>\r\n*2\r\n$-1\r\n_\r\n-ERR no\r\n\
        >3\r\n$7\r\nmessage\r\n$1\r\na\r\n$0\r\n\r\n|1\r\n+a\r\n+b\r\n,1.5\r\n\
        >3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$1\r\nb\r\n=7\r\ntxt:abc\r\n";
    vec![all.to_vec(), [&[0][..], &all[1..]].concat()]
}

/// One conversation, from either side.
fn handovers() -> Vec<Vec<u8>> {
    let of = |messages: &[(Message, u8)]| {
        let mut bytes = Vec::new();
        for (message, descriptors) in messages {
            message.write(&mut bytes, *descriptors).expect("seeds are short");
        }
        bytes
    };
    let carried = CarriedSession {
        sid: Sid::new("abcdefghijklmnopqrst"),
        dialect: Protocol::V4.into(),
        beat: CarriedBeat::Waiting(5),
        ping_interval: 25_000,
        ping_timeout: 20_000,
        upgraded: true,
        polling: None,
    };
    let websocket = HandedSession {
        session: carried.clone(),
        join_left: None,
        address: Some([127, 0, 0, 1].into()),
        unread: vec![0x81, 0x85, 0, 0, 0, 0, b'4'],
        unwritten: b"\x81\x012".to_vec(),
        packet: Some(("52-[\"a\"]".into(), vec![vec![1]])),
        posts: Vec::new(),
        blob: vec![7],
    };
    let queue = vec![
        CarriedPacket::Control("2".into(), true),
        CarriedPacket::Message(OutMessage {
            data: "2[\"a\"]".into(),
            binary: false,
            compress: true,
        }),
    ];
    let polling = HandedSession {
        session: CarriedSession {
            dialect: Protocol::V3.into(),
            beat: CarriedBeat::Listening,
            polling: Some(CarriedPolling { jsonp: Some("3".into()), queue }),
            ..carried
        },
        join_left: Some(1000),
        address: None,
        unread: Vec::new(),
        unwritten: Vec::new(),
        packet: None,
        posts: vec![(b"42[\"a\"]".to_vec(), false); 2],
        blob: vec![8],
    };
    vec![
        of(&[
            (Message::hello(vec![1]), 0),
            (Message::Ready { against: "no".into() }, 0),
            (Message::Taken { sessions: 2 }, 0),
        ]),
        of(&[
            (Message::welcome(vec![2]), 1),
            (Message::State { blob: vec![3] }, 0),
            (Message::Session(Box::new(websocket)), 1),
            (Message::Session(Box::new(polling)), 0),
            (Message::Connection { unread: b"GET".to_vec(), unwritten: vec![] }, 1),
            (Message::End { sessions: 2, against: String::new(), blob: vec![] }, 0),
        ]),
        of(&[(Message::Refused { why: "no".into() }, 0)]),
    ]
}

fn redis_messages() -> Vec<Vec<u8>> {
    vec![
            // ["b", {type: 2, data: ["x", [<bytes>, 1.5]], nsp: "/"}, {rooms: ["r", 5], except: [], flags: {volatile: true}}]
            concat(&[
                b"\x93\xa1b\x83\xa4type\x02\xa4data\x92\xa1x\x92\xc4\x02\x00\xff\xcb\x3f\xf8\0\0\0\0\0\0".to_vec(),
                b"\xa3nsp\xa1/\x83\xa5rooms\x92\xa1r\x05\xa6except\x90\xa5flags\x81\xa8volatile\xc3".to_vec(),
            ]),
            // The same kind of packet, with an undefined value and a time in it, in the message of a sharded node.
            concat(&[
                b"\x84\xa4type\x03\xa4data\x82\xa6packet\x82\xa4type\x02\xa4data\x93\xa1x\xd4\0\0\xd6\xff\0\0\0\x01".to_vec(),
                b"\xa4opts\x81\xa5rooms\x91\xa1r\xa3uid\xa1b\xa3nsp\xa1/".to_vec(),
            ]),
            br#"{"type":3,"data":{"packet":{"type":2,"data":["x",{"a":"\u00e9"}]},"opts":{"rooms":["r"],"except":[5],"flags":{"compress":false}}},"uid":"b","nsp":"/"}"#.to_vec(),
            br#"{"packet":{"type":2,"data":["x",1]},"opts":{"rooms":[],"except":["r"]}}"#.to_vec(),
            br#"{"uid":"b","type":2,"opts":{"rooms":["a"],"except":[]},"rooms":["b"]}"#.to_vec(),
        ]
}
