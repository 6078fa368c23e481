//! The sandbox itself, against the real binaries. Needs root: `make test` runs it.

use landfall_sandbox::Sandbox;

#[test]
fn up() {
    let start = std::time::Instant::now();
    let sandbox = Sandbox::builder().up().unwrap();
    eprintln!("up in {:?}", start.elapsed());
    eprintln!("{}", sandbox.kubectl(&["get", "nodes,svc,endpointslices,sa", "-A", "-o", "wide"]).unwrap());
}
