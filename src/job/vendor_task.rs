//! The task of a vendor that works on a job's answer. Its cost is spent when it begins, so what
//! names it is kept with the job until the answer is there.

/// The longest name of a task, bytes. Vendors use UUIDs and numbers.
pub const VENDOR_TASK_ID_BYTES_MAX: usize = 200;

/// A task that has begun at a vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorTask {
    /// The upstream that began it, by its name in config.toml.
    pub upstream: String,
    /// The vendor's name for it; fit for a path of an address as it is.
    pub id: String,
    /// Whether a call that has ended was counted with the price of a call. The next one only looks
    /// at the task, and is not paid for again.
    pub is_counted: bool,
}

impl VendorTask {
    /// Creates a task; `None` if its name is too long, or would change the path that it stands in.
    pub fn new(upstream: &str, id: &str) -> Option<VendorTask> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:~".contains(&byte);
        let sound = (1..=VENDOR_TASK_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(is_plain)
            && id.bytes().any(|byte| byte.is_ascii_alphanumeric());
        let (upstream, id) = (upstream.to_owned(), id.to_owned());
        sound.then_some(VendorTask { upstream, id, is_counted: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_change_a_path_are_none() {
        let id = |id: &str| VendorTask::new("vendor", id).map(|task| task.id);
        for sound in ["b27a21e1-7c39-4aa2-a347-23e828c426f9", "7352996936896485377", "s_m4x7.~:1"] {
            assert_eq!(id(sound).as_deref(), Some(sound));
        }
        let longest = "x".repeat(VENDOR_TASK_ID_BYTES_MAX);
        assert_eq!(id(&longest), Some(longest.clone()));
        for unsound in ["", "..", "a/b", "a?b", "a%2fb", "a b", "ä", "a\n", &format!("{longest}x")]
        {
            assert_eq!(id(unsound), None, "{unsound:?}");
        }
    }
}
