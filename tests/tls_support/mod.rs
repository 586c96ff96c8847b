//! A certificate, and clients that believe it.

use std::sync::Arc;

use ferrosocket::net::tls::config::{Identity, TlsSettings};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, version};

const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/__test__/fixtures/key.pem");
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/__test__/fixtures/cert.pem");
pub(crate) fn identity() -> Identity {
    Identity {
        number: 7,
        chain: vec![CertificateDer::from_pem_file(CERTIFICATE).unwrap().to_vec()],
        key: PrivatePkcs8KeyDer::from_pem_file(KEY).unwrap().secret_pkcs8_der().to_vec(),
    }
}

pub(crate) fn settings() -> TlsSettings {
    TlsSettings {
        identities: vec![identity()],
        ciphers: ["TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES128-GCM-SHA256"].map(Into::into).into(),
        tls12: true,
        tls13: true,
        alpn: vec!["http/1.1".into()],
        ..TlsSettings::default()
    }
}

/// Believes every certificate.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) fn client_config(tls13: bool) -> Arc<ClientConfig> {
    let spoken = if tls13 { &version::TLS13 } else { &version::TLS12 };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[spoken])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

pub(crate) fn dial(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), "a.example".try_into().unwrap()).unwrap()
}
