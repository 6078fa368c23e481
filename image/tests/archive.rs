//! Archives as others see them: Python's tarfile reads what this package's own tar library has written.

use landfall_image::{Image, Layer};
use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

/// Checks every digest and size on the way from the index down, and prints the layer's entries and the configuration.
const READER: &str = r#"
import gzip, hashlib, io, json, sys, tarfile
archive = tarfile.open(sys.argv[1])
read = lambda name: archive.extractfile(name).read()
def blob(d):
    data = read('blobs/' + d['digest'].replace(':', '/'))
    assert len(data) == d['size'] and 'sha256:' + hashlib.sha256(data).hexdigest() == d['digest'], d
    return data
[named] = json.loads(read('index.json'))['manifests']
manifest = json.loads(blob(named))
config = json.loads(blob(manifest['config']))
[layer] = manifest['layers']
data = blob(layer)
if layer['mediaType'].endswith('gzip'): data = gzip.decompress(data)
assert ['sha256:' + hashlib.sha256(data).hexdigest()] == config['rootfs']['diff_ids']
[docker] = json.loads(read('manifest.json'))
assert read(docker['Config']) == blob(manifest['config']) and read(docker['Layers'][0]) == blob(layer)
print(docker['RepoTags'], named['annotations']['io.containerd.image.name'], named['platform'])
print(config['architecture'], config['created'], json.dumps(config['config'], sort_keys=True), manifest['annotations'])
for e in tarfile.open(fileobj=io.BytesIO(data)):
    content = tarfile.open(fileobj=io.BytesIO(data)).extractfile(e).read().decode() if e.isfile() else e.linkname
    print(f'{e.name} {e.mode:o} {e.uid}:{e.gid} {e.mtime} {content}'.rstrip())
"#;

fn read(archive: &Path) -> String {
    let output = Command::new("python3").args(["-c", READER]).arg(archive).output().expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A folder with all kinds of entries, made in the order given, and with the times and the rest of the mode given.
fn tree(reversed: bool, time: SystemTime, mode: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("tree/usr/bin")).expect("folders");
    fs::create_dir(at("tree/tmp")).expect("a folder");
    fs::set_permissions(at("tree/tmp"), Permissions::from_mode(0o1777)).expect("its mode");
    let mut files = ["tree/usr/bin/b", "tree/usr/bin/a", "program"];
    if reversed {
        files.reverse();
    }
    for file in files {
        fs::write(at(file), file).expect("a file");
        fs::File::open(at(file)).and_then(|file| file.set_modified(time)).expect("its time");
    }
    fs::set_permissions(at("tree/usr/bin/a"), Permissions::from_mode(0o4711)).expect("its mode");
    fs::set_permissions(at("tree/usr/bin/b"), Permissions::from_mode(0o600)).expect("its mode");
    fs::set_permissions(at("program"), Permissions::from_mode(mode)).expect("its mode");
    std::os::unix::fs::symlink("usr/bin", at("tree/bin")).expect("a link");
    drop(UnixListener::bind(at("tree/socket")).expect("a socket"));
    folder
}

fn image(from: &TempDir) -> Image {
    let mut layer = Layer::default();
    layer.add_tree(&from.path().join("tree")).expect("a tree");
    layer.add_file("/opt/tool".as_ref(), &from.path().join("program")).expect("a file");
    Image {
        name: "tool:1".to_owned(),
        arch: "arm64".to_owned(),
        entrypoint: vec!["/opt/tool".to_owned(), "run".to_owned()],
        user: Some("65532".to_owned()),
        env: vec!["A=b".to_owned()],
        labels: ["one", "two", "three", "four", "five", "six"].map(|key| (key.to_owned(), "x".to_owned())).into(),
        created: 86400,
        layer,
        ..Image::default()
    }
}

#[test]
fn another_reader_finds_what_went_in() {
    let from = tree(false, SystemTime::now(), 0o755);
    let archive = from.path().join("image.tar");
    let mut image = image(&from);
    image.labels.retain(|key, _| key == "one");
    image.write(&archive).expect("an image");
    let expected = "\
['docker.io/library/tool:1'] docker.io/library/tool:1 {'architecture': 'arm64', 'os': 'linux'}
arm64 1970-01-02T00:00:00Z {\"Entrypoint\": [\"/opt/tool\", \"run\"], \"Env\": [\"A=b\"], \"Labels\": {\"one\": \"x\"}, \
\"User\": \"65532\", \"WorkingDir\": \"/\"} {'one': 'x'}
bin 777 0:0 86400 usr/bin
opt 755 0:0 86400
opt/tool 755 0:0 86400 program
tmp 1777 0:0 86400
usr 755 0:0 86400
usr/bin 755 0:0 86400
usr/bin/a 4711 0:0 86400 tree/usr/bin/a
usr/bin/b 600 0:0 86400 tree/usr/bin/b
";
    assert_eq!(read(&archive), expected);
    image.uncompressed = true;
    image.write(&archive).expect("an image");
    assert_eq!(read(&archive), expected);
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let write = |from: &TempDir| {
        let archive = from.path().join("image.tar");
        image(from).write(&archive).expect("an image");
        fs::read(archive).expect("the archive")
    };
    let one = write(&tree(false, SystemTime::now(), 0o755));
    let other = write(&tree(true, SystemTime::now() - Duration::from_secs(9999), 0o775));
    assert!(one == other, "{} and {} bytes", one.len(), other.len());
}

#[test]
fn a_file_takes_the_place_of_the_trees_and_nothing_leaves_the_image() {
    let from = tree(false, SystemTime::now(), 0o755);
    let program = from.path().join("program");
    let mut image = image(&from);
    image.layer.add_file("usr/bin/b".as_ref(), &program).expect("a file");
    for path in ["/", "", "../up", "/a/../b"] {
        let error = image.layer.add_file(path.as_ref(), &program).expect_err(path);
        assert!(error.to_string().contains("is no path in an image"), "{error}");
    }
    let error = image.layer.add_file("a".as_ref(), from.path()).expect_err("a folder");
    assert!(error.to_string().contains("is not a file"), "{error}");
    let archive = from.path().join("image.tar");
    image.write(&archive).expect("an image");
    assert!(read(&archive).contains("usr/bin/b 755 0:0 86400 program\n"));
}
