#include "textflag.h"

// int clock_gettime(clockid_t DI, struct timespec *SI)
TEXT ·steppingClock(SB), NOSPLIT|NOFRAME, $0
	MOVL $228, AX // the system call of the same name
	SYSCALL
	CMPL DI, $0   // CLOCK_REALTIME
	JNE  done
	MOVQ 8(SI), DX
	BTQ  $26, DX  // changes every 67 ms
	JCS  back
	ADDQ $60, (SI)
	JMP  done
back:
	SUBQ $60, (SI)
done:
	RET

TEXT ·address(SB), NOSPLIT, $0-8
	LEAQ ·steppingClock(SB), AX
	MOVQ AX, ret+0(FP)
	RET
