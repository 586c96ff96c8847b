//! What the tests of the link to Redis share.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::sync::mpsc::Receiver;
use std::time::Duration;

use ferrosocket::cluster::link::Link;
use ferrosocket::cluster::news::{News, State};

/// After which a test that waits for something has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Takes news until there is this.
pub(crate) fn until(link: &Link, woken: &Receiver<()>, mut seen: impl FnMut(News) -> bool) {
    loop {
        let mut found = false;
        for news in link.take() {
            found |= seen(news);
        }
        if found {
            return;
        }
        woken.recv_timeout(LIMIT).expect("there is news in time");
    }
}

/// Whether that is news: the link is in this state now.
pub(crate) fn is_in(state: State) -> impl FnMut(News) -> bool {
    move |news| matches!(news, News::State(now, _) if now == state)
}
