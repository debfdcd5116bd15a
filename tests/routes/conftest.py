# SPDX-License-Identifier: GPL-2.0-or-later
from routes_world import world  # noqa: F401
