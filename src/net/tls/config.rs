//! What counts for the TLS of a server's connections, made of what JavaScript has read of its HTTPS server.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, SupportedProtocolVersion, version};
use thiserror::Error;

/// The cipher suites that there are, as OpenSSL and as the standard names them.
const CIPHERS: [(CipherSuite, &str, &str); 9] = [
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    (
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    ),
];

/// How OpenSSL and the standard name a cipher suite.
pub(super) fn cipher_names(suite: CipherSuite) -> Option<(&'static str, &'static str)> {
    let mut known = CIPHERS.iter();
    known.find(|(known, ..)| *known == suite).map(|&(_, openssl, standard)| (openssl, standard))
}

/// What an HTTPS server has been told of TLS.
#[derive(Debug, Default)]
pub struct TlsSettings {
    /// The certificates, and their keys.
    pub identities: Vec<Identity>,
    /// Those for other names, the last one first that counts.
    pub contexts: Vec<Context>,
    /// The cipher suites, as OpenSSL or the standard names them, the best first.
    pub ciphers: Vec<String>,
    /// Whether the client's order of them counts.
    pub client_order: bool,
    /// Whether TLS 1.2 is spoken…
    pub tls12: bool,
    /// …and TLS 1.3.
    pub tls13: bool,
    /// What is offered by ALPN.
    pub alpn: Vec<String>,
}

/// A certificate with those that vouch for it, and its key.
#[derive(Default)]
pub struct Identity {
    /// By which JavaScript knows it; not 0.
    pub number: u32,
    /// The certificates, each as DER.
    pub chain: Vec<Vec<u8>>,
    /// The key: PKCS #8 as DER.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    /// The key is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// What is shown to clients that ask for certain names.
#[derive(Debug, Default)]
pub struct Context {
    /// The names; `*` stands for any characters but a dot.
    pub pattern: String,
    /// What is shown to them.
    pub identities: Vec<Identity>,
}

/// Why no TLS can be made of the settings.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TlsFault {
    /// A cipher suite that does not exist here.
    #[error(
        "ciphers of the HTTPS server has {0}, which is not known here: name others, or leave it out"
    )]
    Cipher(String),
    /// No cipher suite for any version.
    #[error("ciphers of the HTTPS server has none for its versions: name others, or leave it out")]
    NoCipher,
    /// A key that can't be used.
    #[error(
        "key of the HTTPS server is one that can't be used ({0}): give one of RSA with 2048 to 4096 bits, of P-256, P-384 or Ed25519"
    )]
    Key(String),
    /// A certificate that can't be used.
    #[error("cert of the HTTPS server is one that can't be used ({0}): give that of its key")]
    Certificate(String),
    /// Anything else.
    #[error("what the HTTPS server has been told can't be done ({0}): leave tls out")]
    Other(String),
}

/// Makes what counts for connections of what a server has been told.
///
/// # Errors
/// What of it can't be had.
pub fn server_config(settings: &TlsSettings) -> Result<Arc<ServerConfig>, TlsFault> {
    let mut provider = ring::default_provider();
    let find = |name: &String| {
        let known = CIPHERS.iter().find(|(_, a, b)| a == name || b == name);
        known
            .and_then(|(suite, ..)| {
                ring::ALL_CIPHER_SUITES.iter().find(|it| it.suite() == *suite).copied()
            })
            .ok_or_else(|| TlsFault::Cipher(name.clone()))
    };
    provider.cipher_suites = settings.ciphers.iter().map(find).collect::<Result<_, _>>()?;
    let speaks = |spoken: &SupportedProtocolVersion| {
        provider.cipher_suites.iter().any(|suite| suite.version() == spoken)
    };
    let mut versions = Vec::new();
    if settings.tls13 && speaks(&version::TLS13) {
        versions.push(&version::TLS13);
    }
    if settings.tls12 && speaks(&version::TLS12) {
        versions.push(&version::TLS12);
    }
    if versions.is_empty() {
        return Err(TlsFault::NoCipher);
    }
    let identities = read(&settings.identities, &provider)?;
    let contexts = settings.contexts.iter();
    let contexts = contexts
        .map(|context| Ok((context.pattern.clone(), read(&context.identities, &provider)?)))
        .collect::<Result<_, _>>()?;
    let other = |error: rustls::Error| TlsFault::Other(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions)
        .map_err(other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Identities { contexts, others: identities }));
    config.ignore_client_order = !settings.client_order;
    config.alpn_protocols = settings.alpn.iter().map(|name| name.clone().into()).collect();
    // Its keys are drawn here, so a new certificate comes with new ones, and old tickets are of no use: as by Node.js.
    config.ticketer = ring::Ticketer::new().map_err(other)?;
    Ok(Arc::new(config))
}

fn read(identities: &[Identity], provider: &CryptoProvider) -> Result<Vec<Numbered>, TlsFault> {
    let read = |Identity { number, chain, key }: &Identity| {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
        let key = provider.key_provider.load_private_key(key);
        let key = key.map_err(|error| TlsFault::Key(error.to_string()))?;
        let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let identity = CertifiedKey::new(chain, key);
        match identity.keys_match() {
            // What can't tell is believed.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok((*number, Arc::new(identity)))
            }
            Err(error) => Err(TlsFault::Certificate(error.to_string())),
        }
    };
    identities.iter().map(read).collect()
}

/// A certificate with its key, and the number by which JavaScript knows it.
type Numbered = (u32, Arc<CertifiedKey>);

/// Which certificate is shown to whom.
#[derive(Debug)]
struct Identities {
    /// Those for certain names: the first one that fits counts.
    contexts: Vec<(String, Vec<Numbered>)>,
    /// Those for all others.
    others: Vec<Numbered>,
}

thread_local! {
    /// The number of the certificate that this thread has chosen last, until it is taken; 0: none.
    static CHOSEN: Cell<u32> = const { Cell::new(0) };
}

/// Takes the number of the certificate that this thread has chosen for a client since it was asked last; 0: none. A connection
/// of rustls does not tell it.
pub(super) fn take_chosen() -> u32 {
    CHOSEN.take()
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        let fitting = name.and_then(|name| {
            self.contexts.iter().find(|(pattern, _)| matches(pattern.as_bytes(), name.as_bytes()))
        });
        let identities = fitting.map_or(&self.others, |(_, identities)| identities);
        let schemes = hello.signature_schemes();
        let usable = |(_, identity): &&Numbered| identity.key.choose_scheme(schemes).is_some();
        // Where none can be used, the handshake is to fail for what it fails for: no suite in common, mostly.
        let (number, identity) = identities.iter().find(usable).or(identities.first())?;
        CHOSEN.set(*number);
        Some(Arc::clone(identity))
    }
}

/// Whether a name fits a pattern, in which `*` stands for any characters but a dot.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => {
            let label = name.iter().position(|&byte| byte == b'.').unwrap_or(name.len());
            (0..=label).any(|taken| matches(rest, &name[taken..]))
        }
        Some((byte, rest)) => name
            .split_first()
            .is_some_and(|(first, name)| first.eq_ignore_ascii_case(byte) && matches(rest, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_a_part_of_a_label() {
        let fits = |pattern: &str, name: &str| matches(pattern.as_bytes(), name.as_bytes());
        assert!(fits("a.example", "a.example") && fits("A.example", "a.EXAMPLE"));
        assert!(!fits("a.example", "b.example") && !fits("a.example", "a.example.org"));
        assert!(fits("*.example", "a.example") && fits("*.example", ".example"));
        assert!(!fits("*.example", "a.b.example") && !fits("*.example", "example"));
        assert!(fits("a*c.*", "abbc.d") && !fits("a*c.*", "abb.d"));
    }

    #[test]
    fn ciphers_and_versions_have_to_fit() {
        let make = |ciphers: &[&str], tls12, tls13| {
            let ciphers = ciphers.iter().map(|&name| name.into()).collect();
            server_config(&TlsSettings { ciphers, tls12, tls13, ..TlsSettings::default() })
                .map(|_| ())
        };
        assert_eq!(make(&["TLS_AES_128_GCM_SHA256"], true, true), Ok(()));
        assert_eq!(make(&["TLS_AES_128_GCM_SHA256"], true, false), Err(TlsFault::NoCipher));
        assert_eq!(make(&["ECDHE-RSA-AES128-GCM-SHA256"], true, true), Ok(()));
        assert_eq!(make(&["ECDHE-RSA-AES128-GCM-SHA256"], false, true), Err(TlsFault::NoCipher));
        let unknown = TlsFault::Cipher("AES128-SHA".into());
        assert_eq!(make(&["AES128-SHA"], true, true), Err(unknown));
    }

    #[test]
    fn every_cipher_suite_has_its_names() {
        for suite in ring::ALL_CIPHER_SUITES {
            assert!(cipher_names(suite.suite()).is_some(), "{suite:?}");
        }
        assert_eq!(ring::ALL_CIPHER_SUITES.len(), CIPHERS.len());
    }
}
