//! Images: those that a cluster itself needs, built from scratch without a daemon and kept beside the programs; and
//! Weir's own, as `make images` built them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::program;
use crate::program::output_of;

/// What holds a pod's namespaces open.
pub(crate) const PAUSE: &str = "localhost/weir-e2e/pause:1";
/// The cluster's DNS.
pub(crate) const COREDNS: &str = "localhost/weir-e2e/coredns:1";

/// What tests run in pods: `serve PORT` answers HTTP with the value of NODE_NAME, `get URL` asks.
pub const PROBE: &str = "localhost/weir-e2e/probe:1";

/// The archives of these three, made if they are not there.
pub(crate) fn of_the_cluster() -> Vec<PathBuf> {
    [("pause", PAUSE), ("coredns", COREDNS), ("probe", PROBE)]
        .map(|(name, image)| of_program(name, image))
        .into()
}

/// Weir's own images.
pub const OWN: [&str; 2] = ["weir", "weir-operator"];

/// What a pod calls an image of [`OWN`].
#[must_use]
pub fn name(own: &str) -> String {
    format!("{own}:{}", env!("CARGO_PKG_VERSION"))
}

/// The archive of an image of [`OWN`], for [`super::Cluster::load_image`].
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn archive(own: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its path");
    let folder = test.ancestors().nth(3).expect("tests lie in target/<profile>/deps").join("images");
    let path = folder.join(format!("{own}.tar"));
    assert!(path.is_file(), "{} is not there: run `make images PROFILE=image`", path.display());
    path
}

fn of_program(name: &str, image: &str) -> PathBuf {
    let path = program(name);
    let folder = path.parent().expect("a program lies in a folder");
    let archive = folder.join(format!("{name}.tar"));
    if !archive.is_file() {
        let lock = fs::File::create(folder.join("lock")).expect("the cache is writable");
        lock.lock().expect("a file can be locked");
        if !archive.is_file() {
            build(name, image, folder, &archive);
        }
    }
    archive
}

/// An image that holds one static program.
fn build(name: &str, image: &str, folder: &Path, archive: &Path) {
    let recipe = format!("FROM scratch\nCOPY {name} /{name}\nENTRYPOINT [\"/{name}\"]\n");
    let file = folder.join("Containerfile");
    fs::write(&file, recipe).expect("the cache is writable");
    // The user's images are not ours.
    let store = tempfile::tempdir().expect("the folder for temporary files is writable");
    let mut build = buildah(store.path());
    build
        .args(["build", "--quiet", "--isolation", "chroot", "--tag", image, "--file"])
        .arg(&file)
        .arg(folder);
    output_of(build);
    let unfinished = archive.with_extension("unfinished");
    let mut push = buildah(store.path());
    push.args(["push", "--quiet", image, &format!("docker-archive:{}:{image}", unfinished.display())]);
    output_of(push);
    fs::rename(&unfinished, archive).expect("the cache is writable");
}

fn buildah(store: &Path) -> Command {
    let mut command = Command::new("buildah");
    command.args(["--storage-driver", "vfs", "--root"]).arg(store.join("images"));
    command.arg("--runroot").arg(store.join("run"));
    command
}
