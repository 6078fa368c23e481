//! The cluster's certificate authority, its certificates, and kubeconfig files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use crate::topology::API_SERVER;

/// A certificate authority that writes into one folder.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    /// Makes one, and the key pair that ServiceAccount tokens are signed with: `ca.crt`, `sa.key`, `sa.pub`.
    pub(crate) fn create(folder: &Path) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "landfall-sandbox");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        write(folder, "ca.crt", &issuer.pem())?;
        let tokens = KeyPair::generate()?;
        write(folder, "sa.key", &tokens.serialize_pem())?;
        write(folder, "sa.pub", &tokens.public_key_pem())?;
        Ok(Authority { issuer, folder: folder.to_owned() })
    }

    /// A serving certificate for these names and addresses: `<name>.crt`, `<name>.key`.
    pub(crate) fn server(&self, name: &str, alternatives: &[&str]) -> Result<()> {
        let alternatives: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(alternatives)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(name, name, params)
    }

    /// A client certificate and a kubeconfig with it: `<name>.crt`, `<name>.key`, `<name>.kubeconfig`; returns the last.
    pub(crate) fn client(&self, name: &str, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(name, user, params)?;
        let user = json!({
            "client-certificate": self.folder.join(format!("{name}.crt")),
            "client-key": self.folder.join(format!("{name}.key")),
        });
        kubeconfig(&self.folder, name, &user)
    }

    fn sign(&self, name: &str, common_name: &str, mut params: CertificateParams) -> Result<()> {
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        write(&self.folder, &format!("{name}.crt"), &certificate.pem())?;
        write(&self.folder, &format!("{name}.key"), &key.serialize_pem())
    }
}

/// Writes `<name>.kubeconfig` (JSON, which is YAML) beside the authority's `ca.crt`, for a user with these credentials.
pub(crate) fn kubeconfig(folder: &Path, name: &str, credentials: &serde_json::Value) -> Result<PathBuf> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster":
            {"server": API_SERVER, "certificate-authority": folder.join("ca.crt")}}],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": name}}],
        "current-context": "sandbox",
    });
    let file = format!("{name}.kubeconfig");
    write(folder, &file, &config.to_string())?;
    Ok(folder.join(file))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
