//! The cluster of thousands of Services: one controller, and speakers, each of which runs when it is asked for. No kube-proxies.
//!
//! What was sent and answered is the API server's word: its audit log and its metrics.

use crate::{api::Services, lab::alone, lan::inside};
use anyhow::{Context, Result, ensure};
use arcstr::ArcStr;
use landfall::{cluster::names, controller::state::IN_FLIGHT};
use landfall_core::alloc::{Decision, ServiceKey};
use landfall_sandbox::{AuditTail, Landfall, Process, Request, Sandbox, objects::lean_service, wait_for};
use serde_json::{Value, json};
use std::{ops::Range, time::Duration};

/// Longer than serving all of them takes.
pub const LONG: Duration = Duration::from_secs(300);
/// No two Events are further apart as long as there are some to send.
pub const PAUSE: Duration = Duration::from_secs(5);
/// How long a process may take to end.
const END: Duration = Duration::from_secs(10);
/// Nodes, each with a speaker.
pub const NODES: u8 = 10;
/// The controller's ServiceAccount.
const ACCOUNT: &str = "landfall-controller";
/// As the audit log calls it.
pub const CONTROLLER: &str = "system:serviceaccount:landfall-system:landfall-controller";
/// As the audit log calls them.
pub const SPEAKER: &str = "system:serviceaccount:landfall-system:landfall-speaker";
/// What the audit log says of a write of a status.
const STATUS: &str = r#""subresource":"status""#;
/// The pool is in no subnet of the nodes', so the interface is named.
const CONFIG: &str = "pools: [{name: large, addresses: [198.18.0.0/15, '2001:db8:1::/64']}]
quarantine: 0s
reuse: 0s
announcements: [{interfaces: [eth0]}]
";

/// The cluster.
pub struct Crowd {
    /// Its nodes.
    pub sandbox: Sandbox,
    /// The controller, and the speakers.
    pub landfall: Landfall,
    /// Services with numbers from here on have an IPv6 address, the others IPv4.
    ipv6_from: usize,
}

impl Crowd {
    /// A cluster without Services, whose controller leads.
    ///
    /// # Errors
    /// What did not come up.
    pub fn up(ipv6_from: usize) -> Result<Self> {
        let (sandbox, landfall) = alone(NODES, CONFIG)?;
        Ok(Self { sandbox, landfall, ipv6_from })
    }

    /// The controller.
    ///
    /// # Errors
    /// Where there is none.
    pub fn controller(&self) -> Result<&Process> {
        self.landfall.controllers().first().context("there is no controller")
    }

    /// Works with the API server as administrator.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn services<T: Send>(&self, work: impl AsyncFnOnce(&Services) -> Result<T> + Send) -> Result<T> {
        inside(&self.sandbox.control_plane(), async || work(&Services::connect(&self.sandbox).await?).await)
    }

    /// Works with the API server as the controller does: under its ServiceAccount, with a token.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn as_controller<T: Send>(&self, work: impl AsyncFnOnce(&Services) -> Result<T> + Send) -> Result<T> {
        let kubeconfig = self.sandbox.kubeconfig_for(names::NAMESPACE, ACCOUNT, None)?;
        inside(&self.sandbox.control_plane(), async || work(&Services::connect_by(&kubeconfig).await?).await)
    }

    /// Creates these Services.
    ///
    /// # Errors
    /// Where one is refused.
    pub fn create(&self, numbers: Range<usize>) -> Result<()> {
        let services = numbers.map(|number| self.service(number)).collect();
        self.services(async |api| api.create_all(services).await)
    }

    /// Creates these and waits until the controller has served them.
    ///
    /// # Errors
    /// Where it does not.
    pub fn create_served(&self, numbers: Range<usize>) -> Result<()> {
        let (count, mut tail) = (numbers.len(), self.sandbox.audit_tail()?);
        self.create(numbers)?;
        self.written(count, &mut tail).map(drop)
    }

    fn service(&self, number: usize) -> Value {
        let mut service = lean_service(&name(number));
        if number >= self.ipv6_from {
            service["spec"]["ipFamilies"] = json!(["IPv6"]);
        }
        service
    }

    /// Deletes these and waits until the controller has let them go.
    ///
    /// # Errors
    /// Where it does not.
    pub fn delete(&self, numbers: Range<usize>) -> Result<()> {
        let (count, mut tail) = (numbers.len(), self.sandbox.audit_tail()?);
        self.services(async |services| services.delete_all(numbers.map(name).collect()).await)?;
        self.written(count, &mut tail).map(drop)
    }

    /// Stops the controller.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn stop(&self) -> Result<()> {
        self.controller()?.terminate()?;
        self.controller()?.wait(END)?;
        Ok(())
    }

    /// Ends the speakers at once, and forgets what they have said, while no controller runs that would pass it on.
    ///
    /// # Errors
    /// Where the API server refuses.
    pub fn silence(&self) -> Result<()> {
        self.landfall.speakers().values().for_each(Process::kill);
        self.sandbox.kubectl(&["-n", "landfall-speakers", "delete", "configmaps", "--all"]).map(drop)
    }

    /// Takes every Service's address away, as the controller would: they wait again.
    ///
    /// # Errors
    /// Where a write is refused.
    pub fn release_by_hand(&self) -> Result<()> {
        self.services(async |api| {
            let release = |service: landfall::cluster::service::Service| {
                let (key, uid) = about(&service);
                let addresses = service.alloc.status.to_vec();
                (service, Decision::Release { key, uid, addresses, leaves_status: false })
            };
            let decisions: Vec<_> = api.projected().await?.into_iter().map(release).collect();
            api.carry_out(&decisions, IN_FLIGHT).await
        })
    }

    /// Starts the controller and waits until it has written so many Services; all that it has asked for until then.
    ///
    /// # Errors
    /// Where it does not.
    pub fn start_and_serve(&self, services: usize, tail: &mut AuditTail) -> Result<Vec<Request>> {
        self.controller()?.start()?;
        self.written(services, tail)
    }

    /// Waits until the controller has written so many Services, and gives all that it has asked for until then. The log is what
    /// is looked at: a look at the API server would slow down what is measured.
    fn written(&self, services: usize, tail: &mut AuditTail) -> Result<Vec<Request>> {
        let (mut all, mut lines, mut writes) = (Vec::new(), String::new(), 0);
        wait_for("every Service to be written", LONG, || {
            let new = tail.lines()?;
            writes += new.matches(STATUS).count();
            lines += &new;
            // To understand them takes time that what is measured wants, so that comes last.
            ensure!(writes >= services, "{writes} writes of {services} are answered");
            let new = AuditTail::requests(&std::mem::take(&mut lines));
            all.extend(new.into_iter().filter(|request| request.user == CONTROLLER));
            writes = all.iter().filter(|request| is_status_patch(request)).count();
            ensure!(writes >= services, "{writes} of {services} are written");
            Ok(())
        })?;
        Ok(all)
    }

    /// What Landfall asks for in a time that passes: the controller, and the speakers.
    ///
    /// # Errors
    /// Where the audit log cannot be read.
    pub fn asked_in(&self, time: Duration) -> Result<[Vec<Request>; 2]> {
        let mut tail = self.sandbox.audit_tail()?;
        std::thread::sleep(time);
        by_whom(&mut tail)
    }

    /// Waits until the controller writes no Services and sends no Events any more.
    ///
    /// # Errors
    /// Where it goes on.
    pub fn wait_quiet(&self) -> Result<()> {
        wait_for("the controller to be quiet", LONG, || {
            let [asked, _] = self.asked_in(PAUSE)?;
            let busy = |request: &&Request| request.resource == "events" || is_status_patch(request);
            ensure!(asked.iter().find(busy).is_none(), "{} requests in {PAUSE:?}", asked.len());
            Ok(())
        })
    }

    /// Patches of Services' statuses that have succeeded, by the API server's metrics.
    ///
    /// # Errors
    /// Where it tells none.
    pub fn status_patches(&self) -> Result<u64> {
        let metrics = self.sandbox.api().get("/metrics")?;
        let metrics = metrics.as_str().context("the metrics are no text")?;
        let is_meant = |line: &&str| {
            [
                "apiserver_request_total{",
                "code=\"200\"",
                "resource=\"services\"",
                "subresource=\"status\"",
                "verb=\"PATCH\"",
            ]
            .iter()
            .all(|part| line.contains(part))
        };
        let counts =
            metrics.lines().filter(is_meant).map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<u64>());
        counts.sum::<Result<u64, _>>().context("a metric is no number")
    }
}

/// The name of a Service.
pub fn name(number: usize) -> String {
    format!("crowd-{number}")
}

/// Who a Service is.
pub fn about(service: &landfall::cluster::service::Service) -> (ServiceKey, ArcStr) {
    (service.alloc.key.clone(), service.alloc.uid.clone())
}

/// Whether it is a write of a Service that was carried out.
pub fn is_status_patch(request: &Request) -> bool {
    request.verb == "patch" && request.resource == "services/status" && request.code == 200
}

/// What the log has that is new, of the controller and of the speakers.
///
/// # Errors
/// Where it cannot be read.
pub fn by_whom(tail: &mut AuditTail) -> Result<[Vec<Request>; 2]> {
    let (mut controller, mut speakers) = (Vec::new(), Vec::new());
    for request in tail.read()? {
        match request.user.as_str() {
            CONTROLLER => controller.push(request),
            SPEAKER => speakers.push(request),
            _ => {}
        }
    }
    Ok([controller, speakers])
}
