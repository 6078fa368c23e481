//! Whether the API server streams its lists, one object after the other (KEP-3157), or gives them page by page.
//!
//! One may not know streamed lists, as Kubernetes 1.30 does not, or not have them now: with an etcd that is too old it says so
//! within the stream. A proxy may end the stream, and so does the server after a minute; that it ends once may be a lost
//! connection. Pages are what all of them have.

use kube::runtime::watcher::{self, Event, InitialListStrategy};

/// How a watch gets its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Page by page.
    Paged,
    /// Streamed.
    Streamed {
        /// So many have begun since one was complete.
        begun: u8,
    },
}

/// A list that has begun so often is not begun again.
const ENOUGH: u8 = 2;

impl Lists {
    /// As a watch that begins asks for them.
    pub fn new(strategy: &InitialListStrategy) -> Self {
        match strategy {
            InitialListStrategy::ListWatch => Self::Paged,
            InitialListStrategy::StreamingList => Self::Streamed { begun: 0 },
        }
    }

    /// Follows what a watch says: whether a streamed list has failed and another one might, too. From then on they are `Paged`.
    pub fn fail<K>(&mut self, said: &watcher::Result<Event<K>>) -> bool {
        let Self::Streamed { begun } = self else { return false };
        let failed = match said {
            // Begun anew, where the last one ended before it was complete.
            Ok(Event::Init) => {
                *begun += 1;
                *begun > ENOUGH
            }
            Ok(Event::InitDone) => {
                *begun = 0;
                false
            }
            Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) => !passes(status.code),
            Err(watcher::Error::WatchError(_)) => *begun > 0,
            _ => false,
        };
        if failed {
            *self = Self::Paged;
        }
        failed
    }
}

/// Whether a server that streams lists may answer so: to one without the right, or who asks too often or too late, and while it
/// cannot answer at all.
fn passes(code: u16) -> bool {
    matches!(code, 401 | 403 | 408 | 410 | 429 | 500 | 502..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;
    use watcher::Error;

    type Said = watcher::Result<Event<()>>;

    fn refused(code: u16) -> Said {
        Err(Error::WatchStartFailed(kube::Error::Api(Box::new(Status { code, ..Status::default() }))))
    }

    fn within(code: u16) -> Said {
        Err(Error::WatchError(Box::new(Status { code, ..Status::default() })))
    }

    /// The last word alone decides.
    fn fails(said: Vec<Said>) -> bool {
        let mut lists = Lists::new(&InitialListStrategy::StreamingList);
        let failed: Vec<bool> = said.iter().map(|said| lists.fail(said)).collect();
        let (last, before) = failed.split_last().unwrap();
        assert!(before.iter().all(|failed| !failed), "{failed:?} of {said:?}");
        assert_eq!(lists == Lists::Paged, *last);
        *last
    }

    #[test]
    fn who_cannot_stream_a_list_is_asked_for_pages() {
        for code in [400, 405, 406, 415, 422, 501] {
            assert!(fails(vec![refused(code)]), "{code}");
        }
        // What a server with an etcd that is too old says.
        assert!(fails(vec![Ok(Event::Init), within(500)]));
        let ended_twice = vec![Ok(Event::Init), Ok(Event::InitApply(())), Ok(Event::Init), Ok(Event::Init)];
        assert!(fails(ended_twice), "ended before it was complete, twice in a row");
        assert!(fails(vec![Ok(Event::Init), Ok(Event::InitDone), Ok(Event::Init), within(500)]), "a later list");
    }

    #[test]
    fn what_passes_or_is_not_about_a_list_changes_nothing() {
        for code in [401, 403, 408, 410, 429, 500, 503, 504] {
            assert!(!fails(vec![refused(code)]), "{code}");
        }
        assert!(!fails(vec![Ok(Event::Init), Ok(Event::InitDone), within(500)]));
        assert!(!fails(vec![Ok(Event::Init), Ok(Event::InitDone), within(410), Ok(Event::Init)]));
        let unreachable = || kube::Error::Service("no connection".into());
        assert!(!fails(vec![Err(Error::WatchStartFailed(unreachable())), Ok(Event::Init)]));
        let lost = || [Ok(Event::Init), Err(Error::WatchFailed(unreachable())), Ok(Event::Init), Ok(Event::InitDone)];
        assert!(!fails(lost().into_iter().chain(lost()).collect()), "a connection was lost, once in each list");
    }

    #[test]
    fn pages_never_fail_so() {
        let mut lists = Lists::new(&InitialListStrategy::ListWatch);
        let said: [Said; 4] = [refused(422), Ok(Event::Init), Ok(Event::Init), within(500)];
        assert!(said.iter().all(|said| !lists.fail(said)));
    }
}
