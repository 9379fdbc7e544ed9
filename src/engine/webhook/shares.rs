//! The shares of receivers and of accounts in the threads that deliver, so that receivers that hang
//! leave threads to the others. Pure.

use std::collections::{HashMap, HashSet};

use crate::job::Recipient;
use crate::store::Row;

/// One receiver may have at most one in four threads.
const RECEIVER_SHARE: usize = 4;
/// Receivers that hung the last time may have at most one in two threads together.
const SUSPECTS_SHARE: usize = 2;
/// An account may have at most three times as many threads as are free: three quarters of all where
/// it is alone, and less the more accounts there are.
const ACCOUNT_SHARE: usize = 3;
/// The most receivers that are remembered as suspects.
const SUSPECTS_MAX: usize = 10_000;

/// The answer to a row that asks for a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    Taken(Ticket),
    /// It is in flight, or its receiver or account has its share.
    Passed,
    /// Every thread has something to do.
    Full,
}

/// A row for a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Ticket {
    pub row: Row,
    recipient: Recipient,
    /// Its receiver was a suspect when it was taken.
    suspect: bool,
}

/// The conduct of a receiver in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    Answered,
    /// It used up most of the time that an attempt may take.
    Hung,
    /// It was not asked, or could not be reached.
    Unknown,
}

/// The deliveries in flight.
pub(super) struct Shares {
    threads: usize,
    /// In flight, or given up by this process because the store could not record their outcome.
    rows: HashSet<Row>,
    in_flight: usize,
    suspects_in_flight: usize,
    by_receiver: HashMap<u32, usize>,
    by_account: HashMap<u32, usize>,
    /// Receivers that hung the last time.
    suspects: HashSet<u32>,
}

impl Shares {
    pub(crate) fn new(threads: usize) -> Shares {
        Shares {
            threads,
            rows: HashSet::new(),
            in_flight: 0,
            suspects_in_flight: 0,
            by_receiver: HashMap::new(),
            by_account: HashMap::new(),
            suspects: HashSet::new(),
        }
    }

    /// Takes a row that is due, if there is a thread for it.
    pub(crate) fn take(&mut self, row: Row, recipient: Recipient) -> Take {
        let free = self.threads.saturating_sub(self.in_flight);
        if free == 0 {
            return Take::Full;
        }
        let Recipient { account, receiver } = recipient;
        let count = |counts: &HashMap<u32, usize>, key| counts.get(&key).copied().unwrap_or(0);
        let suspect = self.suspects.contains(&receiver);
        let receiver_max = if suspect { 1 } else { share(self.threads, RECEIVER_SHARE) };
        let of_account = count(&self.by_account, account);
        // The last free thread is for an account that has none.
        let has_share = of_account > 0 && (free == 1 || of_account >= ACCOUNT_SHARE * free);
        if has_share
            || count(&self.by_receiver, receiver) >= receiver_max
            || (suspect && self.suspects_in_flight >= share(self.threads, SUSPECTS_SHARE))
            || !self.rows.insert(row)
        {
            return Take::Passed;
        }
        self.in_flight += 1;
        self.suspects_in_flight += usize::from(suspect);
        *self.by_receiver.entry(receiver).or_default() += 1;
        *self.by_account.entry(account).or_default() += 1;
        Take::Taken(Ticket { row, recipient, suspect })
    }

    /// Releases a row; one that was not `settled` is not taken again.
    pub(crate) fn release(&mut self, ticket: Ticket, conduct: Conduct, settled: bool) {
        let Ticket { row, recipient: Recipient { account, receiver }, suspect } = ticket;
        if settled {
            self.rows.remove(&row);
        }
        self.in_flight -= 1;
        self.suspects_in_flight -= usize::from(suspect);
        decrement(&mut self.by_receiver, receiver);
        decrement(&mut self.by_account, account);
        match conduct {
            Conduct::Answered => drop(self.suspects.remove(&receiver)),
            Conduct::Hung => {
                if self.suspects.len() >= SUSPECTS_MAX {
                    // Any of them: if it hangs again, it is a suspect again.
                    let forgotten = self.suspects.iter().next().copied();
                    forgotten.map(|receiver| self.suspects.remove(&receiver));
                }
                self.suspects.insert(receiver);
            }
            Conduct::Unknown => {}
        }
    }

    /// Returns whether a row is in flight.
    #[cfg(test)]
    pub(crate) fn has(&self, row: Row) -> bool {
        self.rows.contains(&row)
    }

    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns whether a thread has nothing to do.
    #[cfg(test)]
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight < self.threads
    }
}

fn share(threads: usize, divisor: usize) -> usize {
    (threads / divisor).max(1)
}

fn decrement(counts: &mut HashMap<u32, usize>, key: u32) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: usize = 16;

    /// Takes as many rows as it gets, of one account, each row at a receiver of its own.
    fn take_all(shares: &mut Shares, account: u32, rows: std::ops::Range<Row>) -> Vec<Ticket> {
        rows.filter_map(|row| take(shares, row, account, row as u32)).collect()
    }

    fn take(shares: &mut Shares, row: Row, account: u32, receiver: u32) -> Option<Ticket> {
        match shares.take(row, Recipient { account, receiver }) {
            Take::Taken(ticket) => Some(ticket),
            Take::Passed | Take::Full => None,
        }
    }

    #[test]
    fn receiver_has_at_most_a_quarter_of_the_threads() {
        let mut shares = Shares::new(THREADS);
        let taken = (0..20).filter_map(|row| take(&mut shares, row, 1, 1)).count();
        assert_eq!(taken, THREADS / 4);
        assert_eq!(
            shares.take(0, Recipient { account: 1, receiver: 2 }),
            Take::Passed,
            "under way"
        );
    }

    #[test]
    fn receiver_that_hung_has_one_thread_until_it_answers() {
        let mut shares = Shares::new(THREADS);
        for (conduct, share) in [
            (Conduct::Hung, 1),
            (Conduct::Unknown, 1),
            (Conduct::Answered, THREADS / 4),
            (Conduct::Unknown, THREADS / 4),
        ] {
            let ticket = take(&mut shares, 0, 1, 7).unwrap();
            shares.release(ticket, conduct, true);
            let tickets: Vec<_> = (0..20).filter_map(|row| take(&mut shares, row, 1, 7)).collect();
            assert_eq!(tickets.len(), share, "{conduct:?}");
            for ticket in tickets {
                shares.release(ticket, Conduct::Unknown, true);
            }
        }
    }

    #[test]
    fn suspects_together_have_at_most_half_of_the_threads() {
        let mut shares = Shares::new(THREADS);
        for row in 0..40 {
            let ticket = take(&mut shares, row, row as u32, row as u32).unwrap();
            shares.release(ticket, Conduct::Hung, true);
        }
        // Each of an account of its own.
        let suspects =
            (0..40).filter(|row| take(&mut shares, *row, *row as u32, *row as u32).is_some());
        assert_eq!(suspects.count(), THREADS / 2);
        assert!(take(&mut shares, 100, 100, 100).is_some(), "the other half is for the others");
    }

    #[test]
    fn accounts_leave_threads_to_one_another() {
        let mut shares = Shares::new(THREADS);
        assert_eq!(take_all(&mut shares, 1, 0..100).len(), 12, "three quarters, alone");
        assert!(!take_all(&mut shares, 2, 100..200).is_empty());
        assert_eq!(
            take_all(&mut shares, 3, 200..300).len(),
            1,
            "the last is for one that has none"
        );
        assert_eq!(shares.take(300, Recipient { account: 4, receiver: 300 }), Take::Full);
    }

    #[test]
    fn single_thread_serves_everyone_in_turn() {
        let mut shares = Shares::new(1);
        for row in 0..3 {
            let ticket = take(&mut shares, row, 1, 1).unwrap();
            assert!(!shares.has_room());
            shares.release(ticket, Conduct::Hung, true);
        }
    }

    #[test]
    fn row_that_is_not_settled_is_not_taken_again() {
        let mut shares = Shares::new(THREADS);
        let ticket = take(&mut shares, 1, 1, 1).unwrap();
        shares.release(ticket, Conduct::Unknown, false);
        assert_eq!(take(&mut shares, 1, 1, 1), None);
        assert_eq!(shares.in_flight(), 0);
    }

    #[test]
    fn suspects_are_remembered_up_to_a_bound() {
        let mut shares = Shares::new(THREADS);
        for receiver in 0..=SUSPECTS_MAX as u32 {
            let ticket = take(&mut shares, 1, 1, receiver).unwrap();
            shares.release(ticket, Conduct::Hung, true);
        }
        assert_eq!(shares.suspects.len(), SUSPECTS_MAX);
    }
}
