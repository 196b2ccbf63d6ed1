"""What has to be before any mail is ordered."""

from tasuki.core.errors import Unavailable
from tasuki.mail.settings import MailSettings


def admins_only(user_id: int, args: object) -> bool:
    """Refuse everybody: our routes order the tasks of mail, for messages that are the caller's.

    Admins are not asked about; see `Task.allows`.
    """
    del user_id, args
    return False


def need_mail_system(settings: MailSettings) -> None:
    """Check that there is somebody to hand a message to.

    Raises:
        Unavailable: There is not.
    """
    if settings.host is None:
        raise Unavailable("No mail system is set up; an operator sets TASUKI_MAIL__HOST.")
