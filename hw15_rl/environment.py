"""The world: gymnasium's LunarLander-v3, and a corridor of five positions for trials that take seconds.

LunarLander-v3 needs `pip install "gymnasium[box2d]"`. A lander falls towards the moon; 50 steps are a second.

observation   float32 (8,): x and y of the lander, (0, 0) is the landing pad, x of +-1 is out of the picture;
              their velocities; angle in rad and its velocity; left and right leg touch the ground, 0 or 1
action        0 nothing, 1 left engine, 2 main engine, 3 right engine
reward        how much nearer, slower and more upright than a step before; 10 for each leg that touches, taken
              back when it lifts; -0.3 for the main engine, -0.03 for a side engine; last +100 if it came to
              rest, -100 if it crashed or left the picture
end           at rest, crashed or out of the picture: terminated; after 1,000 steps: truncated

Corridor-v0 is what --synthetic plays: positions 0 to 4, a start on 1, 2 or 3. Other environments of gymnasium
can be played if their actions are discrete and their observations a vector.

A truncated episode might have gone on: what would have come counts (Pardo et al. 2018). A terminated one is
over. It has landed if it terminated with a reward above zero. Training, the choice of the best model and the
final score draw their episodes from three ranges of seeds.
"""

import warnings

from scaffold import HELP, BadInput

import gymnasium
import numpy as np

LANDER, CORRIDOR = "LunarLander-v3", "Corridor-v0"
FINAL_SEEDS, SELECTION_SEEDS, TRAINING_SEEDS = 0, 100_000, 1_000_000  # where each range of seeds begins
PANELS = {  # what the plot of a flight shows of the observations: {axis: {line: column}}
    LANDER: {"position": {"x": 0, "y": 1}, "angle (rad)": {"angle": 4}},
    CORRIDOR: {"place": {f"{index}": index for index in range(5)}},
}
ACTIONS = {LANDER: ("nothing", "left", "main", "right"), CORRIDOR: ("left", "right")}


class Corridor(gymnasium.Env):
    """Five positions in a row. The right end is worth 100, the left end -100, every other step -1.

    observation float32 (5,), 1 at the position; action 0 left, 1 right. From p the best return is p + 97.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (5,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = int(self.np_random.integers(1, 4))
        return self.observe(), {}

    def step(self, action):
        self.position += 1 if action == 1 else -1
        reward = {0: -100.0, 4: 100.0}.get(self.position, -1.0)
        return self.observe(), reward, self.position in (0, 4), False, {}

    def observe(self):
        return np.eye(5, dtype=np.float32)[self.position]

    def render(self):
        """uint8 (40, 200, 3): the position is white, the ends red and green, the rest grey."""
        colours = np.array([[150, 40, 40], *[[90, 90, 90]] * 3, [40, 130, 40]], np.uint8)
        colours[self.position] = 255
        return np.repeat(np.repeat(colours[None], 40, axis=0), 40, axis=1)


def make_world(name, render_mode=None):
    """Make one environment. Raises BadInput where there is none of that name, or none that we can play."""
    if ":" in name:  # gymnasium would import the module before it
        raise BadInput(f"--world {name} is a module's, expected one of gymnasium like {LANDER}; {HELP}.")
    try:
        if name == CORRIDOR:
            world = gymnasium.wrappers.TimeLimit(Corridor(render_mode), max_episode_steps=20)
        else:
            with warnings.catch_warnings(action="ignore"):  # of a newer version, or of a name without one
                world = gymnasium.make(name, render_mode=render_mode, disable_env_checker=True)
    except gymnasium.error.DependencyNotInstalled as error:
        raise BadInput(f"--world {name}: {error}; {HELP}.") from error  # it names the package
    except (gymnasium.error.Error, ImportError) as error:
        raise BadInput(f"--world {name} is not in gymnasium, expected one like {LANDER}; {HELP}.") from error
    actions, observations = world.action_space, world.observation_space
    if not isinstance(actions, gymnasium.spaces.Discrete) or actions.start != 0:
        raise BadInput(f"--world {name} has the actions {actions}, expected discrete ones; {HELP}.")
    if not isinstance(observations, gymnasium.spaces.Box) or len(observations.shape) != 1:
        raise BadInput(f"--world {name} has the observations {observations}, expected a vector; {HELP}.")
    return world


def draw(name, seed, actions, every=1):
    """Play the actions from the seed again and return what it looks like, [uint8 (height, width, 3)]."""
    world = make_world(name, "rgb_array")
    world.reset(seed=seed)
    frames = [world.render()]
    for count, action in enumerate(actions, 1):
        world.step(int(action))
        if count % every == 0 or count == len(actions):
            frames.append(world.render())
    world.close()
    return frames
