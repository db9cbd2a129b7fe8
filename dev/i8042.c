/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's keyboard controller with a keyboard and a mouse behind it.  Sources: IBM Personal
 * System/2 Hardware Interface Technical Reference (1990), "Keyboard and Auxiliary Device
 * Controller"; for the pulses of F0 to FF the IBM PC AT Technical Reference (1984).
 * d->base and d->base + 4 are its ports (0x60 and 0x64); d->irq is the keyboard's (ISA IRQ 1), the
 * mouse has input 12 of the same controller.
 * Left out: four mice (multiplexing), timing, password commands, the keyboard lock.
 */
#include "dev/i8042.h"

#include "dev/dev.h"
#include "dev/ps2.h"

enum { PORT_STATUS = 4, MOUSE_IRQ = 12 };

enum status {
	STATUS_FULL = 0x01,    /* there is something to read */
	STATUS_SYSTEM = 0x04,  /* the self test has passed */
	STATUS_COMMAND = 0x08, /* the last write was to the command port */
	STATUS_UNLOCKED = 0x10,
	STATUS_MOUSE = 0x20 /* what there is to read is the mouse's */
};

enum config {
	CONFIG_KEY_IRQ = 0x01,
	CONFIG_MOUSE_IRQ = 0x02,
	CONFIG_SYSTEM = 0x04,
	CONFIG_KEY_OFF = 0x10,
	CONFIG_MOUSE_OFF = 0x20,
	CONFIG_TRANSLATE = 0x40
};

enum command {
	READ_RAM = 0x20, /* up to 3f; byte 0 is the configuration */
	WRITE_RAM = 0x60,
	MOUSE_OFF = 0xa7,
	MOUSE_ON = 0xa8,
	TEST_MOUSE = 0xa9,
	SELF_TEST = 0xaa,
	TEST_KEY = 0xab,
	KEY_OFF = 0xad,
	KEY_ON = 0xae,
	READ_INPUT = 0xc0,
	READ_OUTPUT = 0xd0,
	WRITE_OUTPUT = 0xd1,
	FAKE_KEY = 0xd2, /* the next byte comes back as if from there */
	FAKE_MOUSE = 0xd3,
	TO_MOUSE = 0xd4,
	A20_OFF = 0xdd,
	A20_ON = 0xdf,
	READ_TEST = 0xe0,
	PULSE = 0xf0 /* up to ff: low bits of the output port that are 0 are pulled low */
};

enum output { OUTPUT_NO_RESET = 0x01, OUTPUT_A20 = 0x02, OUTPUT_KEY = 0x10, OUTPUT_MOUSE = 0x20 };
enum { INPUT_UNLOCKED = 0x80, TEST_GOOD = 0x00, SELF_TEST_GOOD = 0x55, BREAK = 0xf0 };
enum { RAM_SIZE = 32, REPLIES = 4 };

/* Where a byte to read comes from. */
enum source { CONTROLLER, KEYBOARD, MOUSE };

struct i8042 {
	struct dev dev;
	struct irq mouse_irq, a20;
	uint8_t ram[RAM_SIZE]; /* ram[0]: enum config */
	uint8_t status, output;
	uint8_t command; /* that waits for its byte; 0: none */
	uint8_t data;    /* what is read next, while STATUS_FULL */
	bool broke;      /* the keyboard's last byte was BREAK, and is part of the next */
	uint8_t reply[REPLIES], replies; /* of the controller, and whose they pretend to be */
	uint8_t reply_source[REPLIES];
	struct ps2_keyboard keyboard;
	struct ps2_mouse mouse;
};

static const struct field i8042_fields[] = {
	FIELD_ARRAY(struct i8042, ram),
	FIELD(struct i8042, status),
	FIELD(struct i8042, output),
	FIELD(struct i8042, command),
	FIELD(struct i8042, data),
	FIELD(struct i8042, broke),
	FIELD_ARRAY(struct i8042, reply),
	FIELD_ARRAY(struct i8042, reply_source),
	FIELD(struct i8042, replies),
	FIELD_END,
};

/* Bytes to read ------------------------------------------------------------------------------ */

static void update_irq(struct i8042 *c)
{
	bool full = c->status & STATUS_FULL, mouse = c->status & STATUS_MOUSE;

	irq_set(&c->dev.irq, full && !mouse && c->ram[0] & CONFIG_KEY_IRQ);
	irq_set(&c->mouse_irq, full && mouse && c->ram[0] & CONFIG_MOUSE_IRQ);
}

static bool take_reply(struct i8042 *c, uint8_t *byte, uint8_t *source)
{
	if (!c->replies)
		return false;
	*byte = c->reply[0];
	*source = c->reply_source[0];
	c->replies--;
	for (unsigned i = 0; i < c->replies; i++) {
		c->reply[i] = c->reply[i + 1];
		c->reply_source[i] = c->reply_source[i + 1];
	}
	return true;
}

/* With translation, the bit 0x80 stands for a BREAK before the code. */
static bool take_key(struct i8042 *c, uint8_t *byte)
{
	while (ps2_keyboard_take(&c->keyboard, byte)) {
		if (!(c->ram[0] & CONFIG_TRANSLATE))
			return true;
		if (*byte == BREAK) {
			c->broke = true;
			continue;
		}
		*byte = ps2_translate(*byte) | (c->broke ? 0x80 : 0);
		c->broke = false;
		return true;
	}
	return false;
}

/* Fills the output buffer, if it is empty. */
static void refill(struct i8042 *c)
{
	uint8_t byte, source = CONTROLLER;

	if (!(c->status & STATUS_FULL)) {
		if (take_reply(c, &byte, &source))
			;
		else if (!(c->ram[0] & CONFIG_KEY_OFF) && take_key(c, &byte))
			source = KEYBOARD;
		else if (!(c->ram[0] & CONFIG_MOUSE_OFF) && ps2_mouse_take(&c->mouse, &byte))
			source = MOUSE;
		else
			return;
		c->data = byte;
		c->status = (uint8_t)((c->status & ~STATUS_MOUSE) | STATUS_FULL |
				      (source == MOUSE ? STATUS_MOUSE : 0));
	}
	update_irq(c);
}

static void reply(struct i8042 *c, uint8_t byte, enum source source)
{
	if (c->replies == REPLIES) {
		TRACE(c->dev.env->log, device, "i8042: reply %#x is lost: nobody reads", byte);
		return;
	}
	c->reply[c->replies] = byte;
	c->reply_source[c->replies++] = (uint8_t)source;
}

/* Commands ------------------------------------------------------------------------------------- */

static void reset_machine(struct i8042 *c)
{
	c->dev.env->power(c->dev.env->machine, POWER_RESET, 0);
}

static void write_output(struct i8042 *c, uint8_t val)
{
	if (!(val & OUTPUT_NO_RESET))
		reset_machine(c);
	c->output = val | OUTPUT_NO_RESET;
	irq_set(&c->a20, val & OUTPUT_A20);
}

static uint8_t read_output(const struct i8042 *c)
{
	uint8_t val = c->output & (uint8_t) ~(OUTPUT_KEY | OUTPUT_MOUSE);

	if (c->status & STATUS_FULL)
		val |= c->status & STATUS_MOUSE ? OUTPUT_MOUSE : OUTPUT_KEY;
	return val;
}

static void write_ram(struct i8042 *c, unsigned at, uint8_t val)
{
	c->ram[at] = val;
	if (at != 0)
		return;
	c->status = (uint8_t)((c->status & ~STATUS_SYSTEM) | (val & CONFIG_SYSTEM));
	if (!(val & CONFIG_TRANSLATE))
		c->broke = false;
}

static void set_config(struct i8042 *c, enum config bit, bool on)
{
	c->ram[0] = (uint8_t)((c->ram[0] & ~bit) | (on ? bit : 0));
}

static void do_command(struct i8042 *c, uint8_t command)
{
	switch (command) {
	case MOUSE_OFF:
	case MOUSE_ON:
		set_config(c, CONFIG_MOUSE_OFF, command == MOUSE_OFF);
		break;
	case KEY_OFF:
	case KEY_ON:
		set_config(c, CONFIG_KEY_OFF, command == KEY_OFF);
		break;
	case SELF_TEST:
		set_config(c, CONFIG_SYSTEM, true);
		c->status |= STATUS_SYSTEM;
		reply(c, SELF_TEST_GOOD, CONTROLLER);
		break;
	case TEST_MOUSE:
	case TEST_KEY:
		reply(c, TEST_GOOD, CONTROLLER);
		break;
	case READ_INPUT:
		reply(c, INPUT_UNLOCKED, CONTROLLER);
		break;
	case READ_OUTPUT:
		reply(c, read_output(c), CONTROLLER);
		break;
	case READ_TEST: /* both clocks are low while nothing is sent */
		reply(c, 0, CONTROLLER);
		break;
	case WRITE_OUTPUT:
	case FAKE_KEY:
	case FAKE_MOUSE:
	case TO_MOUSE:
		c->command = command;
		break;
	case A20_OFF:
	case A20_ON:
		c->output = (uint8_t)((c->output & ~OUTPUT_A20) | (command & OUTPUT_A20));
		irq_set(&c->a20, command & OUTPUT_A20);
		break;
	default:
		TRACE(c->dev.env->log, device, "i8042: there is no command %#x", command);
	}
}

static void write_command(struct i8042 *c, uint8_t command)
{
	c->status |= STATUS_COMMAND;
	c->command = 0;
	if (command >= PULSE) {
		if (!(command & OUTPUT_NO_RESET))
			reset_machine(c);
	} else if (command >= READ_RAM && command < READ_RAM + RAM_SIZE) {
		reply(c, c->ram[command % RAM_SIZE], CONTROLLER);
	} else if (command >= WRITE_RAM && command < WRITE_RAM + RAM_SIZE) {
		c->command = command;
	} else {
		do_command(c, command);
	}
}

/* What is sent to a device opens its line. */
static void write_data(struct i8042 *c, uint8_t val)
{
	uint8_t command = c->command;

	c->status &= (uint8_t)~STATUS_COMMAND;
	c->command = 0;
	switch (command) {
	case 0:
		set_config(c, CONFIG_KEY_OFF, false);
		ps2_keyboard_write(&c->keyboard, val);
		break;
	case TO_MOUSE:
		set_config(c, CONFIG_MOUSE_OFF, false);
		ps2_mouse_write(&c->mouse, val);
		break;
	case WRITE_OUTPUT:
		write_output(c, val);
		break;
	case FAKE_KEY:
		reply(c, val, KEYBOARD);
		break;
	case FAKE_MOUSE:
		reply(c, val, MOUSE);
		break;
	default:
		write_ram(c, command % RAM_SIZE, val);
	}
}

/* Ports ---------------------------------------------------------------------------------------- */

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
	struct i8042 *c = dev;
	uint8_t val = c->data;

	(void)off, (void)size;
	c->status &= (uint8_t) ~(STATUS_FULL | STATUS_MOUSE);
	update_irq(c); /* low, so that the next byte makes an edge */
	refill(c);
	return val;
}

static void data_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)off, (void)size;
	write_data(dev, (uint8_t)val);
	refill(dev);
	update_irq(dev);
}

static uint64_t status_read(void *dev, uint64_t off, unsigned size)
{
	(void)off, (void)size;
	return ((struct i8042 *)dev)->status;
}

static void command_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)off, (void)size;
	write_command(dev, (uint8_t)val);
	refill(dev);
	update_irq(dev);
}

void i8042_a20(struct dev *d, struct irq a20)
{
	((struct i8042 *)d)->a20 = a20;
}

void i8042_key(struct dev *d, unsigned usage, bool pressed)
{
	struct i8042 *c = (struct i8042 *)d;

	mutex_lock(&d->lock);
	ps2_keyboard_key(&c->keyboard, usage, pressed);
	refill(c);
	mutex_unlock(&d->lock);
}

void i8042_mouse(struct dev *d, int dx, int dy, int dz, unsigned buttons)
{
	struct i8042 *c = (struct i8042 *)d;

	mutex_lock(&d->lock);
	ps2_mouse_move(&c->mouse, dx, dy, dz, buttons);
	refill(c);
	mutex_unlock(&d->lock);
}

/* The device ----------------------------------------------------------------------------------- */

static const struct io_ops data_io = { data_read, data_write, .min = 1, .max = 1 };
static const struct io_ops command_io = { status_read, command_write, .min = 1, .max = 1 };

static int i8042_init(struct dev *d, struct err *e)
{
	struct i8042 *c = (struct i8042 *)d;
	int rc = bus_map(dev_bus(d), "i8042 data", d->base, 1, &data_io, d, &d->lock, e);

	if (rc < 0)
		return rc;
	if (d->pic)
		c->mouse_irq = d->pic->class->input(d->pic, MOUSE_IRQ);
	return bus_map(
	    dev_bus(d), "i8042 command", d->base + PORT_STATUS, 1, &command_io, d, &d->lock, e);
}

/* As after its own self test, before any firmware: no translation, both devices on. */
static void i8042_reset(struct dev *d)
{
	struct i8042 *c = (struct i8042 *)d;

	mutex_lock(&d->lock);
	for (unsigned i = 0; i < RAM_SIZE; i++)
		c->ram[i] = 0;
	c->ram[0] = CONFIG_KEY_IRQ | CONFIG_MOUSE_IRQ;
	c->status = STATUS_UNLOCKED | STATUS_COMMAND;
	c->output = OUTPUT_NO_RESET | OUTPUT_A20;
	c->command = c->data = c->replies = 0;
	c->broke = false;
	ps2_keyboard_reset(&c->keyboard);
	ps2_mouse_reset(&c->mouse);
	update_irq(c);
	mutex_unlock(&d->lock);
}

static void i8042_loaded(struct dev *d)
{
	struct i8042 *c = (struct i8042 *)d;

	mutex_lock(&d->lock);
	c->replies %= REPLIES + 1;
	ps2_keyboard_loaded(&c->keyboard);
	ps2_mouse_loaded(&c->mouse);
	update_irq(c);
	refill(c);
	mutex_unlock(&d->lock);
}

static const struct field *i8042_part(struct dev *d, unsigned i, void **object)
{
	struct i8042 *c = (struct i8042 *)d;

	*object = i == 0 ? (void *)&c->keyboard : (void *)&c->mouse;
	return i == 0 ? ps2_keyboard_fields : i == 1 ? ps2_mouse_fields : NULL;
}

const struct dev_class dev_i8042 = {
	.name = "i8042",
	.about = "PC keyboard controller with keyboard and mouse",
	.size = sizeof(struct i8042),
	.fields = i8042_fields,
	.init = i8042_init,
	.reset = i8042_reset,
	.loaded = i8042_loaded,
	.part = i8042_part,
};
