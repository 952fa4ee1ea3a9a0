package sleep

import "context"

type ctx = context.Context
