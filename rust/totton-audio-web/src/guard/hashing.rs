//! The password's hash, argon2id, in memory that is allocated once.
//!
//! One thread hashes, one password at a time ([`Hashers`]). Whoever asks waits in a short
//! queue; where that is full the answer is 503 at once. So the memory for all of it is that
//! of one hash, whatever is asked. Without this each request would hash in a thread of its
//! own, and each thread's malloc arena would keep what its hash took.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::oneshot;

use crate::problem::Problem;

/// Passwords that wait in each of the two lanes. A hash takes some 50 ms.
const WAITING: usize = 8;

/// Bytes of a new salt and of a new hash.
const SALT: usize = 16;
const OUTPUT: usize = 32;

/// The most that a stored hash may ask for: memory in KiB, passes, lanes. A file that asks
/// for gigabytes is no password of ours.
const MOST: (u32, u32, u32) = (64 * 1024, 8, 4);

/// What a new hash costs.
#[derive(Debug, Clone)]
pub struct Cost(Params);

impl Default for Cost {
    /// 19 MiB, two passes, one lane: OWASP's first choice for argon2id.
    fn default() -> Self {
        Self(Params::DEFAULT)
    }
}

impl Cost {
    /// A cost for tests of many rounds.
    #[cfg(test)]
    pub fn least() -> Self {
        Self(Params::new(Params::MIN_M_COST, 1, 1, None).expect("the least that argon2 takes"))
    }
}

/// Hashes passwords in memory of its own.
pub struct Hashing {
    cost: Cost,
    memory: Vec<Block>,
}

impl Hashing {
    /// Nothing is allocated before the first password.
    pub fn new(cost: Cost) -> Self {
        Self { cost, memory: Vec::new() }
    }

    /// A new hash, as a PHC string.
    ///
    /// # Errors
    /// 500 when the kernel gives no random bits.
    pub fn hash(&mut self, password: &str) -> Result<String, Problem> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt)
            .map_err(|error| failed(format!("the kernel gives no random bits: {error}")))?;
        let mut output = [0; OUTPUT];
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let params = self.cost.0.clone();
        let parts = || -> Result<_, argon2::password_hash::Error> {
            Ok((ParamsString::try_from(&params)?, Salt::new(&salt)?))
        };
        let (text, salt) = parts().map_err(failed)?;
        self.run(&Argon2::new(algorithm, version, params), password, &salt, &mut output)?;
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: text,
            salt: Some(salt),
            hash: Some(Output::new(&output).map_err(failed)?),
        };
        Ok(hash.to_string())
    }

    /// Whether the password is that of the hash.
    ///
    /// # Errors
    /// 500 for a hash that [`check`] does not accept.
    pub fn verify(&mut self, password: &str, hash: &str) -> Result<bool, Problem> {
        let (argon2, salt, wanted) = parse(hash).map_err(failed)?;
        let mut found = [0; Output::MAX_LENGTH];
        let found = found.get_mut(..wanted.len()).unwrap_or_default();
        self.run(&argon2, password, &salt, found)?;
        // `Output` compares in constant time.
        Ok(Output::new(found).is_ok_and(|found| found == wanted))
    }

    fn run(
        &mut self,
        argon2: &Argon2<'_>,
        password: &str,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), Problem> {
        let blocks = argon2.params().block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::new());
        }
        let memory = self.memory.get_mut(..blocks).unwrap_or_default();
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, output, memory)
            .map_err(failed)
    }
}

/// Whether a stored hash is one that this service may check.
///
/// # Errors
/// Says what is wrong with it.
pub fn check(hash: &str) -> Result<(), String> {
    parse(hash).map(drop)
}

fn parse(hash: &str) -> Result<(Argon2<'static>, Salt, Output), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("the hash is no argon2 hash: {error}");
    let hash = PasswordHash::new(hash).map_err(|error| wrong(&error))?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(|error| wrong(&error))?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from);
    let version = version.map_err(|error| wrong(&error))?;
    let params = Params::try_from(&hash).map_err(|error| wrong(&error))?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory > MOST.0 || passes > MOST.1 || lanes > MOST.2 {
        return Err(format!(
            "the hash asks for {memory} KiB, {passes} passes, {lanes} lanes; accepted: at most \
             {} KiB, {} passes, {} lanes",
            MOST.0, MOST.1, MOST.2
        ));
    }
    let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
        return Err("the hash has no salt or no output".to_owned());
    };
    Ok((Argon2::new(algorithm, version, params), salt, output))
}

fn failed(error: impl std::fmt::Display) -> Problem {
    Problem::failed(format!("cannot hash: {error}"))
}

/// Who waits for the thread. Those known from before have a lane of their own, which is
/// served first: a stranger fills only the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Known,
    Stranger,
}

type Job = Box<dyn FnOnce(&mut Hashing) + Send>;

#[derive(Default)]
struct Lanes {
    known: VecDeque<Job>,
    strangers: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    lanes: Mutex<Lanes>,
    news: Condvar,
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when it is over.
    fn next(&self) -> Option<Job> {
        let mut lanes = self.lanes();
        loop {
            if lanes.closed {
                return None;
            }
            let job = lanes.known.pop_front();
            if let Some(job) = job.or_else(|| lanes.strangers.pop_front()) {
                return Some(job);
            }
            lanes = self.news.wait(lanes).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The thread that hashes.
pub struct Hashers {
    shared: Arc<Shared>,
}

impl Hashers {
    /// Starts the thread; it ends when this is dropped.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(cost: Cost) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("passwords".to_owned()).spawn(move || {
            let mut hashing = Hashing::new(cost);
            while let Some(job) = theirs.next() {
                // One job that fails must not end the thread for all later ones. What it
                // leaves in the memory is overwritten by the next hash.
                if catch_unwind(AssertUnwindSafe(|| job(&mut hashing))).is_err() {
                    log::error!("the thread that hashes passwords failed in one job");
                }
            }
        })?;
        Ok(Self { shared })
    }

    /// Runs `job` on the thread, after those that wait already.
    ///
    /// # Errors
    /// 503 when too many wait; what the job says.
    pub async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        job: impl FnOnce(&mut Hashing) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |hashing| {
            // Who has gone away needs no answer.
            if !sender.is_closed() {
                let _ = sender.send(job(hashing));
            }
        });
        {
            let mut lanes = self.shared.lanes();
            let waiting = match lane {
                Lane::Known => &mut lanes.known,
                Lane::Stranger => &mut lanes.strangers,
            };
            if waiting.len() >= WAITING {
                return Err(busy());
            }
            waiting.push_back(job);
        }
        self.shared.news.notify_one();
        receiver.await.map_err(Problem::stopping)?
    }
}

impl Drop for Hashers {
    fn drop(&mut self) {
        self.shared.lanes().closed = true;
        self.shared.news.notify_one();
    }
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Too many passwords wait to be checked",
        format!("{WAITING} requests wait already; the device checks one at a time"),
        "Try again in a moment.",
    )
    .retry_after(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher, PasswordVerifier};

    #[test]
    fn a_hash_is_what_argon2_makes_and_checks() {
        let mut hashing = Hashing::new(Cost::least());
        let ours = hashing.hash("correct horse").unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", ours.as_str()).is_ok());
        // Larger and smaller than the memory that is there.
        for cost in [Cost::least(), Cost::default(), Cost::least()] {
            let theirs = Argon2::from(cost.0).hash_password(b"correct horse").unwrap().to_string();
            assert!(hashing.verify("correct horse", &theirs).unwrap());
            assert!(!hashing.verify("wrong horse", &theirs).unwrap());
        }
        assert!(hashing.verify("wrong horse", &ours).is_ok_and(|right| !right));
        assert_ne!(ours, hashing.hash("correct horse").unwrap());
    }

    #[test]
    fn a_stored_hash_cannot_ask_for_more_than_the_box_has() {
        let hash =
            |params: &str| format!("$argon2id$v=19${params}$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng");
        assert_eq!(check(&hash("m=19456,t=2,p=1")), Ok(()));
        for params in ["m=4194304,t=2,p=1", "m=19456,t=4000000000,p=1", "m=19456,t=2,p=64"] {
            assert!(check(&hash(params)).unwrap_err().contains("accepted: at most"), "{params}");
        }
        for text in
            ["", "no hash", "$scrypt$ln=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "$argon2id$v=19$m=8"]
        {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[actix_web::test]
    async fn a_full_queue_refuses_at_once_and_the_other_lane_is_served_first() {
        let hashers = Arc::new(Hashers::start(Cost::least()).unwrap());
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (started, is_started) = oneshot::channel();
        let order = Arc::new(Mutex::new(Vec::new()));
        let run = |lane, name: String| {
            let (hashers, order) = (Arc::clone(&hashers), Arc::clone(&order));
            actix_web::rt::spawn(async move {
                let job = move |_: &mut Hashing| -> Result<(), Problem> {
                    order.lock().unwrap().push(name);
                    Ok(())
                };
                hashers.run(lane, job).await
            })
        };
        let theirs = Arc::clone(&hashers);
        let first = actix_web::rt::spawn(async move {
            theirs
                .run(Lane::Stranger, move |_| {
                    started.send(()).unwrap();
                    held.recv().unwrap();
                    Ok(())
                })
                .await
        });
        is_started.await.unwrap();
        let waiting: Vec<_> =
            (0..WAITING).map(|number| run(Lane::Stranger, format!("stranger {number}"))).collect();
        tokio::task::yield_now().await;
        let refused = run(Lane::Stranger, "late".into()).await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), "busy");
        let known = run(Lane::Known, "known".into());
        tokio::task::yield_now().await;
        hold.send(()).unwrap();
        for one in waiting.into_iter().chain([first, known]) {
            one.await.unwrap().unwrap();
        }
        let order = order.lock().unwrap();
        assert_eq!((order[0].as_str(), order.len()), ("known", WAITING + 1), "{order:?}");
    }

    #[actix_web::test]
    async fn a_job_that_fails_does_not_end_the_thread() {
        let hashers = Hashers::start(Cost::least()).unwrap();
        let failed = hashers.run::<()>(Lane::Known, |_| panic!("as a test")).await;
        assert!(failed.is_err());
        let next = hashers.run(Lane::Known, |hashing| hashing.hash("correct horse")).await;
        assert!(next.is_ok());
    }
}
